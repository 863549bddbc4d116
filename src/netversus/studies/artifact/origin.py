"""Which files a contender is made from, and where they come from. Loads no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from netversus.lab.contenders import hub
from netversus.lab.contenders.availability import published_file
from netversus.lab.contenders.own_code import find_factory
from netversus.lab.contenders.spec import parse
from netversus.records import ContenderCard

# What a folder of a transformers model may hold that someone would open or run.
_OPENED = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack", ".onnx", ".py")


@dataclass(frozen=True, slots=True)
class Origin:
    """A contender's files. `said` is where they come from, in words. `code`: they are Python source."""

    files: tuple[Path, ...]
    said: str
    code: bool = False


def origin(card: ContenderCard) -> Origin:
    """The files that making this contender opens.

    Raises:
        WeightsError: they are not on this machine.
        SpecError: its module cannot be found.
    """
    if card.source == "py":
        said = f"your own code, run as it is; the weights are {'random' if card.untrained else 'what it makes'}"
        return Origin((find_factory(card.architecture),), said, code=True)
    if card.untrained:
        return Origin((), f"the installed {card.source} builds it; its weights are random, so no file is opened")
    return _ORIGINS[card.source](card)


def _published(card: ContenderCard) -> Origin:
    said = f"published with {card.source} as {card.weights or 'its default'}; downloaded by name, from its own site"
    return Origin((published_file(card),), said)


def _given(card: ContenderCard) -> Origin:
    return Origin((Path(parse(card.spec).target).expanduser(),), "a file of yours; netversus does not know its author")


def _repository(card: ContenderCard) -> Origin:
    spec = parse(card.spec)
    folder = hub.folder(spec.target, spec.weights)
    local = Path(spec.target).expanduser().is_dir()
    said = "a folder of yours" if local else f"the repository {spec.target} at revision {folder.name}"
    found = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix.lower() in _OPENED)
    return Origin(tuple(found), f"{said}; only safetensors are opened, and none of its code is run")


_ORIGINS: Mapping[str, Callable[[ContenderCard], Origin]] = {
    "torchvision": _published,
    "timm": _published,
    "file": _given,
    "onnx": _given,
    "hf": _repository,
}
