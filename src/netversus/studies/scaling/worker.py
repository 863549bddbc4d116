"""One of several processes that run contenders at the same time.

`python -m netversus.studies.scaling.worker FILE`, where FILE holds what it is hired for. It says a line once it is
ready; after that it reads the place of a contender a line, shows that contender its images, and says a line when it is
done. It ends when its input does, so it never outlives who hired it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from netversus.records import ContenderCard


@dataclass(frozen=True)
class Hired:
    """The contenders, the engine of each by its name, and how many images each is shown at once."""

    contenders: tuple[ContenderCard, ...]
    engines: tuple[str, ...]
    classes: int
    seed: int
    weights: Mapping[str, Path]
    at_once: int


HIRED = TypeAdapter(Hired)


def work(hired: Hired, lines: Iterable[str], say: Callable[[str], None]) -> None:
    """Load every contender on one thread, and do what the lines ask for."""
    import torch

    from netversus.lab.contenders.load import load
    from netversus.lab.engines import get_engine
    from netversus.lab.engines.memory import keep_freed_memory
    from netversus.lab.timing.stopwatch import undisturbed

    keep_freed_memory()
    torch.set_num_threads(1)
    cpu = torch.device("cpu")
    ready = []
    for card, engine in zip(hired.contenders, hired.engines, strict=True):
        side = card.preprocessing.crop
        model = load(card, classes=hired.classes, seed=hired.seed, weights=hired.weights.get(card.name)).eval()
        network = model if engine == "eager" else get_engine(engine).prepare(model, crop=side, device=cpu)
        ready.append((network, torch.randn(hired.at_once, 3, side, side, generator=torch.Generator().manual_seed(0))))
    say("ready")
    with undisturbed():
        for line in lines:
            network, images = ready[int(line)]
            network(images)
            say("done")


def main(file: str) -> None:
    """Work until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer

    def say(line: str) -> None:
        answers.write(f"{line}\n")
        answers.flush()

    work(HIRED.validate_json(Path(file).read_bytes()), sys.stdin, say)


if __name__ == "__main__":
    main(sys.argv[1])
