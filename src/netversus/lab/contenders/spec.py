"""Contender specs: which network, with which weights, in one line of text. Loads no torch.

    resnet50                                torchvision
    torchvision:resnet50@IMAGENET1K_V2      a published set of weights
    timm:resnet101.a1h_in1k                 timm, with its tag of published weights
    hf:microsoft/resnet-50                  a Hugging Face repository, or a local folder of that layout
    file:model.safetensors?arch=resnet50    a file of weights for a torchvision or timm architecture
    onnx:model.onnx                         an ONNX graph
    py:package.module:factory               the user's own code
    results:detections.json                 what some model found, in a file: there is no network

A detector that comes trained is written as a network is: `fasterrcnn_resnet50_fpn@COCO_V1`,
`file:detector.pth?arch=fasterrcnn_resnet50_fpn`, `hf:facebook/detr-resnet-50`.

`@scratch` after the first four kinds and `py:` means random weights, to be trained here. `hf:NAME@REVISION` pins a
revision. `file:`, `onnx:` and `py:` do not say how images are to be prepared; `?crop=`, `resize=`, `mean=`, `std=` and
`interpolation=` do. torchvision's and timm's networks, and files for them, take `?stem=small`, `?stages=3` and
`?blocks=3-4-6-3` (`netversus.lab.contenders.shape`), before the `@` where there is one. Any spec but `onnx:` may end in
`?engine=NAME` (`&engine=NAME` after another setting): how the network is run (`netversus.lab.engines`). Any spec may
begin with `NAME=`: what the contender is called in verdicts and reports, where its spec is no name (`ours=file:...`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from netversus.errors import SpecError, nearest
from netversus.records import Preprocessing

Source = Literal["torchvision", "timm", "hf", "file", "onnx", "py", "results"]
SOURCES: tuple[Source, ...] = get_args(Source)
SCRATCH = "scratch"

_NAMED = re.compile(r"([A-Za-z0-9][\w.-]{0,39})=(.*)", re.ASCII | re.DOTALL)  # no colon or ? comes before a setting's =
_ENGINE = re.compile(r"[?&]engine=([\w-]+)$")
_WORD = re.compile(r"[\w-]+", re.ASCII)

Interpolation = Literal["bilinear", "bicubic", "nearest"]
_INTERPOLATIONS: tuple[Interpolation, ...] = get_args(Interpolation)
_PREPARATION = ("crop", "resize", "mean", "std", "interpolation")
_SHAPING = ("stem", "stages", "blocks")
_SETTINGS: Mapping[Source, tuple[str, ...]] = {
    "torchvision": _SHAPING,
    "timm": _SHAPING,
    "file": ("arch", *_SHAPING, *_PREPARATION),
    "onnx": _PREPARATION,
    "py": _PREPARATION,
}
_EXAMPLES: Mapping[Source, str] = {
    "torchvision": "torchvision:resnet50",
    "timm": "timm:resnet101.a1h_in1k",
    "hf": "hf:microsoft/resnet-50",
    "file": "file:model.safetensors?arch=resnet50",
    "onnx": "onnx:model.onnx",
    "py": "py:package.module:factory",
    "results": "results:detections.json",
}


@dataclass(frozen=True, slots=True)
class ContenderSpec:
    """A spec, taken apart. Whether what it names exists is another question (`resolve`).

    `target` is an architecture, a repository or folder, a file, or `module:factory`. `weights` is empty where none
    are asked for, "scratch", or the name of a published set or revision. `settings` are the `?name=value` pairs.
    `engine` is empty where the spec names none, and so is `name`: what the contender is to be called.
    """

    source: Source
    target: str
    weights: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    engine: str = ""
    name: str = ""

    @property
    def canonical(self) -> str:
        """The one way to write this spec; it parses to itself."""
        engine = f"{'&' if self.settings else '?'}engine={self.engine}" if self.engine else ""
        return f"{self.name}{'=' if self.name else ''}{self._plain}{engine}"

    @property
    def _plain(self) -> str:
        prefix = "" if self.source == "torchvision" else f"{self.source}:"
        query = "&".join(f"{name}={self.settings[name]}" for name in sorted(self.settings))
        if self.source == "timm" and self.weights not in {"", SCRATCH}:
            return f"{prefix}{self.target}.{self.weights}{'?' if query else ''}{query}"
        asked = query or ("?" in self.target and self.source == "onnx")  # a file's own ? needs another behind it
        return f"{prefix}{self.target}{'?' if asked else ''}{query}{'@' if self.weights else ''}{self.weights}"

    @property
    def scratch(self) -> bool:
        """Whether random weights are asked for."""
        return self.weights == SCRATCH


def parse(text: str) -> ContenderSpec:
    """Take a spec apart.

    Raises:
        SpecError: it is no spec; the message gives an example or the nearest words.
    """
    named = _NAMED.fullmatch(text.strip())
    if named:
        spec = parse(named[2])
        if spec.name:
            once = replace(spec, name=named[1]).canonical
            raise SpecError(f"{text.strip()!r} is named twice", hint=f"write {once}")
        return replace(spec, name=named[1])
    whole = text.strip()
    text, engine = _engine(whole)
    prefix, colon, rest = (part.strip() for part in text.partition(":"))
    if not text:
        raise SpecError("a contender spec is empty", hint="for example resnet50")
    if not colon:
        return replace(_bare(text), engine=engine)
    source = next((known for known in SOURCES if known == prefix), None)
    if source is None:
        hint = nearest(prefix, SOURCES) or f"known: {', '.join(SOURCES)}"
        raise SpecError(f"there is no source of contenders {prefix!r} (in {text!r})", hint=hint)
    if not rest or rest[0] in "@?":
        raise SpecError(f"{text!r} names nothing after its colon", hint=f"for example {_EXAMPLES[source]}")
    if source == "onnx" and engine:
        raise SpecError(f"{whole!r}: an ONNX graph is run by ONNX Runtime and by no other engine")
    if source == "results" and engine:
        raise SpecError(f"{whole!r}: a file of results is not run, by no engine")
    return replace(_PARSERS[source](source, rest), engine=engine)


def preparation(spec: ContenderSpec, otherwise: Preprocessing) -> Preprocessing:
    """The preprocessing that the spec's settings ask for; what they leave open is as in `otherwise`, and a resize
    keeps its ratio to the crop.

    Raises:
        SpecError: a value that does not fit.
    """
    given = spec.settings
    crop = _pixels("crop", given["crop"]) if "crop" in given else otherwise.crop
    kept = None if otherwise.resize is None else round(crop * otherwise.resize / otherwise.crop)
    made = Preprocessing(
        crop=crop,
        resize=_pixels("resize", given["resize"]) if "resize" in given else kept,
        interpolation=_interpolation(given.get("interpolation", otherwise.interpolation)),
        mean=_three("mean", given["mean"]) if "mean" in given else otherwise.mean,
        std=_three("std", given["std"]) if "std" in given else otherwise.std,
    )
    if made.resize is not None and made.resize < made.crop:
        raise SpecError(
            f"resize={made.resize} is smaller than crop={made.crop}", hint="the crop comes after the resize"
        )
    return made


def _engine(text: str) -> tuple[str, str]:
    """A spec without its engine, and the engine."""
    found = _ENGINE.search(text)
    return (text[: found.start()], found[1]) if found else (text, "")


def _bare(text: str) -> ContenderSpec:
    return _torchvision("torchvision", text)


def _torchvision(source: Source, rest: str) -> ContenderSpec:
    rest, settings = _shaping(source, rest)
    name, weights = _at(rest)
    if not name:
        raise SpecError(f"{rest!r} names no architecture", hint=f"for example {_EXAMPLES[source]}")
    if "/" in name or name.endswith((".pth", ".pt", ".safetensors", ".onnx", ".bin")):
        kind = f"onnx:{rest}" if name.endswith(".onnx") else f"file:{rest}?arch=resnet50"
        raise SpecError(f"{rest!r} is not the name of a network", hint=f"a file is written {kind}")
    if any(sign in rest for sign in ":?"):
        raise SpecError(f"{rest!r} is not the name of a network", hint=f"for example {_EXAMPLES[source]}")
    return ContenderSpec(source, name, weights, settings)


def _shaping(source: Source, rest: str) -> tuple[str, dict[str, str]]:
    """A spec without its settings, and those; they stand before or after its @."""
    name, mark, query = rest.partition("?")
    if not mark or "/" in name:  # a path is told apart in other words
        return rest, {}
    query, at, weights = query.partition("@")
    if not query:
        raise SpecError(f"{rest!r} names no setting after its ?", hint=f"for example {name.strip()}?stages=3")
    settings = _settings(source, query)
    for setting, value in settings.items():
        if not _WORD.fullmatch(value):
            raise SpecError(f"{setting}={value} cannot be understood", hint=f"for example {name.strip()}?stages=3")
    return f"{name}{at}{weights}", settings


def _at(rest: str) -> tuple[str, str]:
    """What stands before and after the first @.

    Raises:
        SpecError: there is an @ and nothing after it.
    """
    name, at, weights = (part.strip() for part in rest.partition("@"))
    if at and not weights:
        raise SpecError(f"{rest!r} names no weights after its @", hint=f"for example {name}@{SCRATCH}")
    return name, weights


def _timm(source: Source, rest: str) -> ContenderSpec:
    spec = _torchvision(source, rest)
    name, _, tag = spec.target.partition(".")
    if not name:
        raise SpecError(f"timm:{rest} names no architecture", hint=f"for example {_EXAMPLES[source]}")
    if spec.scratch and tag:
        raise SpecError(f"timm:{rest} asks for weights and for none", hint=f"timm:{name}@scratch or timm:{name}.{tag}")
    if spec.weights and not spec.scratch:
        raise SpecError(f"timm writes published weights with a dot, got {rest!r}", hint=f"timm:{name}.{spec.weights}")
    return ContenderSpec(source, name, spec.weights or tag, spec.settings)


def _hf(source: Source, rest: str) -> ContenderSpec:
    target, weights = _at(rest)
    return ContenderSpec(source, target, weights)


def _file(source: Source, rest: str) -> ContenderSpec:
    path, mark, query = rest.rpartition("?")
    if not mark:
        path, query = rest, ""
    if query.endswith(f"@{SCRATCH}") or path.endswith(f"@{SCRATCH}"):
        raise SpecError(f"{source}:{rest} asks for a file's weights and for none", hint="name the architecture alone")
    settings = _settings(source, query)
    if source == "file" and "arch" not in settings:
        raise SpecError(f"file:{rest} does not say which architecture it is for", hint=f"file:{path}?arch=resnet50")
    return ContenderSpec(source, path, "", settings)


def _results(source: Source, rest: str) -> ContenderSpec:
    return ContenderSpec(source, rest)


def _py(source: Source, rest: str) -> ContenderSpec:
    rest, at, weights = rest.partition("@")
    if at and weights != SCRATCH:
        raise SpecError(f"after py:MODULE:FACTORY only @{SCRATCH} may follow, got @{weights}")
    target, _, query = rest.partition("?")
    module, colon, factory = target.partition(":")
    if not colon or not factory.isidentifier() or not all(part.isidentifier() for part in module.split(".")):
        raise SpecError(
            f"expected py:package.module:factory, got py:{rest}", hint="the factory returns a torch.nn.Module"
        )
    return ContenderSpec(source, target, weights, _settings(source, query))


def _settings(source: Source, query: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        if name not in _SETTINGS[source]:
            hint = nearest(name, _SETTINGS[source]) or f"known: {', '.join(_SETTINGS[source])}"
            raise SpecError(f"{source}: has no setting {name!r}", hint=hint)
        if not equals or not value:
            raise SpecError(f"{source}: expected {name}=VALUE, got {part!r}")
        if name in found:
            raise SpecError(f"{source}: {name} is given twice")
        found[name] = value
    return found


def _pixels(name: str, text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise SpecError(f"{name} is a number of pixels from 1 to 4096, got {text!r}")
    return int(text)


def _interpolation(text: str) -> Interpolation:
    if text not in _INTERPOLATIONS:
        raise SpecError(f"interpolation is {' or '.join(_INTERPOLATIONS)}, got {text!r}")
    return _INTERPOLATIONS[_INTERPOLATIONS.index(text)]


def _three(name: str, text: str) -> tuple[float, float, float]:
    """One number for all three channels, or three with commas."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers *= 3
    if len(numbers) != 3 or not all(0 <= n <= 1 for n in numbers) or (name == "std" and not all(numbers)):
        raise SpecError(f"{name} is one number or three in 0..1, such as 0.485,0.456,0.406; got {text!r}")
    return (numbers[0], numbers[1], numbers[2])


_PARSERS = {
    "torchvision": _torchvision,
    "timm": _timm,
    "hf": _hf,
    "file": _file,
    "onnx": _file,
    "py": _py,
    "results": _results,
}
