"""`netversus train`: one contender alone, to a file of weights that `compare` takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from netversus.cli.terminal import run_command
from netversus.errors import EXIT_INCOMPLETE, EXIT_OK, CellError, OptionError
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.training.recipe import DEFAULT, Recipe, make_recipe, recipes
from netversus.messages import catalogue, noted, speaking, told

EVERY = 10.0  # seconds between two lines


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    code = run_command(_train, "train", arguments)
    if "--help" in arguments:
        print(_help())
    return code


def _help() -> str:
    """The recipes and what --set takes, from their one declaration."""
    lines = ["", "Recipes:", *(f"  {name:<16} {source}" for name, source in recipes().items()), "", "Settings:"]
    for name, field in Recipe.model_fields.items():
        if name != "recipe":
            lines.append(f"  {name:<20} {field.description} [default: {field.default}]")
    return "\n".join(lines)


def _train(
    contender: Annotated[
        str, typer.Argument(help="A torchvision or timm network, such as resnet50 or resnet50?stem=small.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the result; a training that was killed goes on in it.")],
    data: Annotated[str, typer.Option(help="Data: a name, a folder, hf:NAME.")] = "digits",
    recipe: Annotated[str, typer.Option(help="The name of a recipe, or a TOML file.")] = DEFAULT,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="name=value, over the recipe; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed from which all others derive.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    lang: Annotated[str, typer.Option(help="Language of what is said: en, or zh for Chinese.")] = "en",
) -> int:
    """Train one contender and write safetensors and a model card.

    On several processes: torchrun --nproc-per-node N -m netversus.cli train CONTENDER --out FOLDER
    """
    catalogue(lang)  # one that does not exist is refused before anything slow happens
    chosen = make_recipe({"recipe": recipe, **_pairs(settings or [])})
    opened = open_data(data, seed=seed)
    card = resolve(contender, opened.card)

    from netversus.lab.devices import make_deterministic, resolve_device
    from netversus.lab.training.distributed import joined
    from netversus.lab.training.job import Job, spec, train_alone

    make_deterministic()
    job = Job(card, opened, chosen, seed, out)
    with joined(resolve_device(device)) as (world, here):
        say = _teller(lang) if world.first else _silent
        try:
            trained = train_alone(job, here, world, say=say, progressed=_Lines(say))
        except CellError as error:
            say(str(error))
            return EXIT_INCOMPLETE
        except KeyboardInterrupt:
            say(noted("interrupted; the same command goes on where it was"))
            raise
    if trained.top1 is not None:
        share, images = f"{100 * trained.top1:.1f}", f"{trained.images:,}"
        say(noted("top-1 on the test split: {share} % of {n} images", share=share, n=images))
    say(noted("wrote {file}", file=job.weights))
    say(noted("as a contender: {name}", name=spec(job)))
    return EXIT_OK


def _teller(lang: str) -> Callable[[str], None]:
    """Prints lines in a language; what is trained and written meanwhile is told in English."""

    def tell(line: str) -> None:
        with speaking(lang):
            print(told(line))

    return tell


def _silent(_line: str) -> None:
    """The other processes say nothing."""


def _pairs(words: Sequence[str]) -> dict[str, Any]:
    for word in words:
        if "=" not in word:
            raise OptionError(f"--set must be name=value, got {word!r}")
    return {name.replace("-", "_"): value for name, _, value in (word.partition("=") for word in words)}


class _Lines:
    """A line every few seconds, and one at the end."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._last = time.monotonic()

    def __call__(self, done: int, of: int, loss: float) -> None:
        """Another step is taken."""
        if done == of or time.monotonic() - self._last >= EVERY:
            self._last = time.monotonic()
            so_far = {"n": f"{done:,}", "total": f"{of:,}", "loss": f"{loss:.3f}"}
            self._say(noted("step {n} of {total}, loss {loss}", **so_far))
