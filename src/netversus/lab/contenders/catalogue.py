"""Which architectures and published weights the installed torchvision and timm know, without importing them.

Names are found by their decorator in the source text; the one module that defines an architecture is then read for
its table of weights (`module_source`). What a published set needs that cannot be reproduced here is said, not guessed.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from netversus.errors import NetversusError, SpecError, nearest
from netversus.lab.contenders.module_source import UNKNOWN, ModuleSource
from netversus.messages import noted, template
from netversus.records import Preprocessing

Library = Literal["torchvision", "timm"]
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Both decorate what they publish; torchvision puts a second decorator below the first.
_REGISTERED = re.compile(r"^@register_model\b.*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
_INTERPOLATIONS = {"nearest", "bilinear", "bicubic"}
# These torchvision families have position embeddings or windows of a fixed number; the others take any larger image.
_FIXED_SIZE = ("vit_", "maxvit_")
_FEATURES = "it gives features, not classes"


@dataclass(frozen=True, slots=True)
class PublishedSet:
    """One published set of weights.

    `url` is a file, `hub` a Hugging Face repository (`hub_file` where it is not the usual file); a set has at least
    one. `preprocessing` is None where the set's own cannot be reproduced here, and `lack` says what is in the way.
    `recipe` is where the training is described. `gigamacs` are billions of multiply-adds for one image.
    """

    name: str
    classes: int
    preprocessing: Preprocessing | None
    url: str = ""
    hub: str = ""
    hub_file: str = ""
    recipe: str = ""
    parameters: int | None = None
    gigamacs: float | None = None
    lack: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a library says of an architecture. `default` names its preferred set, or is empty.

    `smallest` is the smallest image side in pixels that it takes, and `fixed` whether it takes no other.
    """

    library: Library
    name: str
    sets: Mapping[str, PublishedSet]
    default: str
    smallest: int = 1
    fixed: bool = False


def names(library: Library) -> tuple[str, ...]:
    """Every image classification architecture that the installed library registers, sorted."""
    return tuple(sorted(_index(library)))


@lru_cache(maxsize=512)
def find(library: Library, name: str) -> Architecture:
    """An architecture by its name.

    Raises:
        SpecError: there is none; the hint names the nearest.
    """
    index = _index(library)
    if name not in index:
        raise SpecError(f"{library} has no architecture {name!r}", hint=_suggestion(library, name))
    module = _module(library, index[name])
    return _torchvision(module, name) if library == "torchvision" else _timm(module, name)


def defined_in(library: Library, name: str) -> str:
    """The module of the library that defines an architecture, such as "resnet"."""
    return _index(library)[name].stem


def list_contenders(pattern: str = "") -> list[tuple[str, tuple[str, ...]]]:
    """Specs whose name holds `pattern` (or matches it, where it has a * or ?), each with its published sets."""
    wanted = pattern.lower() if any(sign in pattern for sign in "*?[") else f"*{pattern.lower()}*"
    prefixes: Mapping[Library, str] = {"torchvision": "", "timm": "timm:"}
    return [
        (f"{prefix}{name}", tuple(find(library, name).sets))
        for library, prefix in prefixes.items()
        for name in names(library)
        if fnmatch(f"{prefix}{name}", wanted)
    ]


def package_folder(package: str) -> Path:
    """Where an installed package lies; it is not imported.

    Raises:
        NetversusError: a package that netversus depends on is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise NetversusError(f"the package {package} is not installed", hint="install netversus again")
    return Path(next(iter(spec.submodule_search_locations)))


@lru_cache(maxsize=2)
def _index(library: Library) -> Mapping[str, Path]:
    """The module that defines each architecture."""
    found: dict[str, Path] = {}
    for path in sorted((package_folder(library) / "models").glob("*.py")):
        for name in _REGISTERED.findall(path.read_text(encoding="utf-8")):
            found[name] = path
    return found


@lru_cache(maxsize=512)
def _module(library: Library, path: Path) -> ModuleSource:
    given: dict[str, Any] = {}
    if library == "timm":
        constants = ModuleSource(package_folder("timm") / "data" / "constants.py")
        given = {name: constants.value(name) for name in constants.assigned}
    return ModuleSource(path, given)


def _suggestion(library: Library, name: str) -> str:
    close = nearest(name.lower(), _index(library))
    other: Library = "timm" if library == "torchvision" else "torchvision"
    if name in _index(other):
        return f"write {'timm:' if other == 'timm' else ''}{name}"
    return close or f"`netversus list contenders` names the {len(_index(library))} there are"


def _torchvision(module: ModuleSource, name: str) -> Architecture:
    """The `*_Weights` enumeration that the builder's `weights` argument is annotated with."""
    enum = next((w for w in _annotated(module.functions[name]) if w in module.classes), "")
    members = module.members(enum) if enum else {}
    values = {member: _keywords(module, node) for member, node in members.items() if isinstance(node, ast.Call)}
    sets = {member: _torchvision_set(member, value) for member, value in values.items()}
    default = members.get("DEFAULT")
    chosen = default.id if isinstance(default, ast.Name) else next(iter(sets), "")
    # Without weights a transformer is built for 224 px, though its default set may take larger images.
    smallest = min((_side(value.get("meta", {}).get("min_size")) for value in values.values()), default=1)
    return Architecture("torchvision", name, sets, chosen, smallest, name.startswith(_FIXED_SIZE))


def _annotated(function: ast.FunctionDef) -> list[str]:
    """The names in the annotation of the argument `weights`."""
    for argument in (*function.args.args, *function.args.kwonlyargs):
        if argument.arg == "weights" and argument.annotation is not None:
            return [node.id for node in ast.walk(argument.annotation) if isinstance(node, ast.Name)]
    return []


def _keywords(module: ModuleSource, call: ast.Call) -> dict[str, Any]:
    return {keyword.arg: module.evaluate(keyword.value) for keyword in call.keywords if keyword.arg}


def _torchvision_set(name: str, value: Mapping[str, Any]) -> PublishedSet:
    transforms, meta = value["transforms"], value["meta"]
    classes = 0 if meta.get("categories", UNKNOWN) is None else 1000  # each such set is called IMAGENET1K
    preprocessing = Preprocessing(
        crop=transforms["crop_size"],
        resize=transforms.get("resize_size", 256),
        interpolation=str(transforms.get("interpolation", "bilinear")).lower(),  # type: ignore[arg-type]
        mean=tuple(transforms.get("mean", IMAGENET_MEAN)),
        std=tuple(transforms.get("std", IMAGENET_STD)),
        antialias=transforms.get("antialias", True),
    )
    return PublishedSet(
        name=name,
        classes=classes,
        preprocessing=preprocessing,
        url=value["url"],
        recipe=str(meta.get("recipe", "")),
        parameters=meta.get("num_params"),
        gigamacs=meta.get("_ops"),
        lack="" if classes else _FEATURES,
    )


def _side(size: Any) -> int:
    return size[0] if isinstance(size, tuple) and isinstance(size[0], int) else 1


def _timm(module: ModuleSource, name: str) -> Architecture:
    """The entries `name.tag` of the module's `default_cfgs`, the preferred one first as timm orders them."""
    table = _timm_table(module)
    tagged = {key.partition(".")[2]: cfg for key, cfg in table.items() if key.partition(".")[0] == name}
    published = {tag: cfg for tag, cfg in tagged.items() if cfg.get("url") or cfg.get("hf_hub_id") or cfg.get("file")}
    starred = [tag for tag in tagged if not tag or tag.endswith("*")]
    default = next((tag for tag in (*starred, *published) if tag in published), "")
    sets = {tag.strip("*"): _timm_set(name, tag.strip("*"), cfg) for tag, cfg in published.items()}
    shape = next((cfg for tag, cfg in tagged.items() if tag == default), next(iter(tagged.values()), {}))
    side, fixed = _timm_side(shape), bool(shape.get("fixed_input_size"))
    smallest = side if fixed else _side(tuple(shape.get("min_input_size") or (3, 1, 1))[1:])
    return Architecture("timm", name, sets, default.strip("*"), smallest, fixed)


@lru_cache(maxsize=512)
def _timm_table(module: ModuleSource) -> Mapping[str, Mapping[str, Any]]:
    node = module.assigned.get("default_cfgs")
    if isinstance(node, ast.Call) and node.args:  # generate_default_cfgs({...})
        node = node.args[0]
    table = module.evaluate(node) if node is not None else {}
    if not isinstance(table, Mapping):
        return {}
    return {k: v for k, v in table.items() if isinstance(k, str) and isinstance(v, Mapping)}


def _timm_set(name: str, tag: str, cfg: Mapping[str, Any]) -> PublishedSet:
    full = f"{name}.{tag}" if tag else name
    hub = cfg.get("hf_hub_id") or ""
    preprocessing, lack = _timm_preprocessing(cfg)
    classes = cfg.get("num_classes", 1000)
    return PublishedSet(
        name=tag,
        classes=classes,
        preprocessing=preprocessing,
        url=cfg.get("url") or "",
        hub=f"{hub}{full}" if hub == "timm/" else hub,
        hub_file=cfg.get("hf_hub_filename") or "",
        recipe=cfg.get("origin_url") or "",
        lack=lack if classes else _FEATURES,
        notes=_test_size(cfg),
    )


def _timm_side(cfg: Mapping[str, Any]) -> int:
    size = cfg.get("input_size", (3, 224, 224))
    return size[1] if isinstance(size, tuple) and isinstance(size[1], int) else 224


def _timm_preprocessing(cfg: Mapping[str, Any]) -> tuple[Preprocessing | None, str]:
    """`create_transform(**resolve_data_config(cfg))` of timm in our terms, or None and what is in the way.

    The shorter side is resized to floor(side / crop_pct), both sides in crop mode "squash".
    """
    size, interpolation = cfg.get("input_size", (3, 224, 224)), cfg.get("interpolation") or "bicubic"
    mode, fraction = cfg.get("crop_mode") or "center", cfg.get("crop_pct") or 0.875
    mean, std = cfg.get("mean") or IMAGENET_MEAN, cfg.get("std") or IMAGENET_STD
    if UNKNOWN in (size, interpolation, mode, fraction, mean, std):
        return None, "its preprocessing is not written as constants"
    if size[0] != 3 or size[1] != size[2]:
        return None, f"it takes images of shape {size}"
    if interpolation not in _INTERPOLATIONS or mode not in {"center", "squash"}:
        return None, f"it resizes by {interpolation} and crops by {mode}"
    preprocessing = Preprocessing(
        crop=size[1],
        resize=math.floor(size[1] / fraction),
        interpolation=interpolation,  # type: ignore[arg-type]
        mean=tuple(mean),
        std=tuple(std),
        squash=mode == "squash",
    )
    return preprocessing, ""


def _test_size(cfg: Mapping[str, Any]) -> tuple[str, ...]:
    size = cfg.get("test_input_size")
    if not isinstance(size, tuple) or size[1] == _timm_side(cfg):
        return ()
    said = template("shown images of {side} px, as timm does by default; timm's own tables use {other} px")
    return (noted(said, side=_timm_side(cfg), other=size[1]),)
