"""From a spec to a contender's card: what it is, which weights it has, what its outputs mean. Loads no torch.

Weights that are not named are random ("scratch") for torchvision and timm, unless the data's classes are ImageNet's:
then the published default. The other sources bring the weights they are named for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from netversus.errors import SpecError, WeightsError, nearest
from netversus.lab.contenders import hub
from netversus.lab.contenders.catalogue import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    Architecture,
    Library,
    PublishedSet,
    find,
    names,
)
from netversus.lab.contenders.detectors import BOXES, HF_DETECTORS, PREPARED, detector_sets, is_detector
from netversus.lab.contenders.fingerprint import sha256
from netversus.lab.contenders.hf_processor import preprocessing_of
from netversus.lab.contenders.imagenet import labels, outputs_for
from netversus.lab.contenders.own_code import find_factory
from netversus.lab.contenders.shape import Shape, check_shape, shape_of
from netversus.lab.contenders.spec import SCRATCH, ContenderSpec, Source, parse, preparation
from netversus.lab.detection.found import check_results
from netversus.lab.engines import get_engine
from netversus.lab.tracking.results import looks_like_results
from netversus.messages import noted, template
from netversus.records import ContenderCard, DataCard, Preprocessing, digest

DEFAULT_SIZE = 224
EAGER, AUTO = "eager", "auto"
_AS_IT_COMES = noted("a trained detector, compared as it comes: its classes are found by their names")


def resolve(text: str, data: DataCard, engine: str = "") -> ContenderCard:
    """The card of the contender that a spec names, on these data. `engine` is for a spec that names none.

    Raises:
        OptionError: there is no such engine.
        SpecError: the spec cannot be understood, or names what does not exist; the hint has the nearest names.
        WeightsError: a file or repository cannot be read, or its weights cannot be used.
    """
    spec = parse(text)
    card = _RESOLVERS[spec.source](spec, data)
    chosen = EAGER if spec.source in ("onnx", "results") or card.head == BOXES else spec.engine or engine or EAGER
    if chosen == EAGER:
        return card
    if chosen != AUTO:
        get_engine(chosen)
    return replace(card, engine=chosen, digest=digest(card.digest, chosen))


def architecture_of(spec: ContenderSpec) -> tuple[Library, str]:
    """The library and the name of the architecture that a `file:` spec names; a bare name may be either's.

    Raises:
        SpecError: neither library has it.
    """
    prefix, colon, name = spec.settings["arch"].rpartition(":")
    if colon and prefix not in {"timm", "torchvision"}:
        raise SpecError(f"arch= names a torchvision or a timm architecture, got {spec.settings['arch']!r}")
    if prefix == "timm" or (not colon and name not in names("torchvision") and name in names("timm")):
        return "timm", find("timm", name).name
    return "torchvision", find("torchvision", name).name


def _card(spec: ContenderSpec, identity: tuple[Any, ...], **fields: Any) -> ContenderCard:
    """A card whose digest covers the spec's source, `identity` and the preprocessing."""
    prepared: Preprocessing = fields["preprocessing"]
    shown = [getattr(prepared, name) for name in prepared.__slots__]
    return ContenderCard(
        name=spec.name or spec.canonical,
        spec=spec.canonical,
        source=spec.source,
        digest=digest(spec.source, identity, shown),
        **fields,
    )


def _installed(package: str) -> str:
    """The version of an optional package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _library(spec: ContenderSpec, data: DataCard) -> ContenderCard:
    if spec.source == "torchvision" and is_detector(spec.target):
        return _trained_detector(spec)
    library: Library = "timm" if spec.source == "timm" else "torchvision"
    architecture = find(library, spec.target)
    shape = _shape(spec, architecture)
    chosen, why = _weights(spec, architecture, data) if shape.whole else _untrained(spec, architecture)
    if chosen is None:
        prepared, notes = _plain(data, architecture.smallest, fixed=architecture.fixed)
        return _card(
            spec,
            (architecture.name, version(library), SCRATCH, *_told(shape)),
            architecture=architecture.name,
            weights=SCRATCH,
            recipe=SCRATCH,
            head="data",
            preprocessing=prepared,
            notes=(*shape.words(), *why, *notes),
        )
    return _published(spec, architecture, chosen, why, data)


def _shape(spec: ContenderSpec, architecture: Architecture) -> Shape:
    """The shape that a spec asks for, which its architecture can be given."""
    shape = shape_of(spec.settings)
    check_shape(shape, architecture)
    return shape


def _told(shape: Shape) -> tuple[Any, ...]:
    """What a shape adds to the identity of a contender: a whole network keeps the digest that it always had."""
    return () if shape.whole else ([shape.stem, shape.stages, list(shape.blocks)],)


def _untrained(spec: ContenderSpec, architecture: Architecture) -> tuple[None, tuple[str, ...]]:
    """A network of another shape has no published weights."""
    if spec.weights and not spec.scratch:
        raise SpecError(
            f"the weights {spec.weights} are published for the whole {architecture.name}, not for another shape of it",
            hint=f"write {replace(spec, weights=SCRATCH).canonical} to train it here",
        )
    return None, () if spec.scratch else (noted("no weights are published for this shape: random weights"),)


def _published(
    spec: ContenderSpec,
    architecture: Architecture,
    chosen: PublishedSet,
    why: tuple[str, ...],
    data: DataCard,
) -> ContenderCard:
    if chosen.lack or chosen.preprocessing is None:
        raise WeightsError(
            f"the weights {chosen.name} of {architecture.name} cannot be used: {chosen.lack}",
            hint=_named(architecture, but=chosen.name),
        )
    imagenet = chosen.classes == len(labels())
    outputs = outputs_for(data.classes) if imagenet else ()
    foreign = noted(
        "its {n} outputs are not the classes of {data}: what it answers cannot be judged here",
        n=f"{chosen.classes:,}",
        data=data.name,
    )
    recipe = f"{architecture.library}:{chosen.name}"
    if architecture.library == "torchvision":
        # Sets of one name were not always trained alike (resnet50's and resnet101's IMAGENET1K_V2 were not).
        recipe += f" <{chosen.recipe}>"
    return _card(
        replace(spec, weights=chosen.name) if spec.weights else spec,
        (architecture.name, version(architecture.library), chosen.name, _origin(chosen)),
        architecture=architecture.name,
        weights=chosen.name,
        recipe=recipe,
        head="imagenet-1k" if imagenet else "other",
        preprocessing=chosen.preprocessing,
        notes=(*why, *chosen.notes, *(() if outputs else (foreign,))),
        outputs=outputs,
    )


def _weights(
    spec: ContenderSpec, architecture: Architecture, data: DataCard
) -> tuple[PublishedSet | None, tuple[str, ...]]:
    """The published set to use, or None for scratch, and why where the spec leaves it open."""
    if spec.scratch:
        return None, ()
    wanted = architecture.default if spec.weights == "DEFAULT" else spec.weights
    if spec.weights:
        if wanted not in architecture.sets:
            hint = nearest(wanted, architecture.sets) or _named(architecture)
            raise SpecError(f"{architecture.name} has no published weights {spec.weights!r}", hint=hint)
        return architecture.sets[wanted], ()
    if not outputs_for(data.classes):
        return None, (
            noted("no weights named, and the classes of {data} are not ImageNet's: random weights", data=data.name),
        )
    default = architecture.sets.get(architecture.default)
    if default is None or default.lack:
        return None, (noted("no weights named, and none are published with ImageNet's classes: random weights"),)
    said = template("no weights named, and the data's classes are ImageNet's: the published default {weights}")
    return default, (noted(said, weights=default.name),)


def _named(architecture: Architecture, but: str = "") -> str:
    """A hint with the sets there are, in the words of a spec."""
    prefix, mark = ("timm:", ".") if architecture.library == "timm" else ("", "@")
    usable = [name for name in architecture.sets if name != but][:6]
    others = " or ".join(f"{prefix}{architecture.name}{mark}{name}" for name in usable)
    return f"write {others or f'{prefix}{architecture.name}@{SCRATCH}'}"


def _origin(chosen: PublishedSet) -> str:
    """What identifies the weights: torchvision's and timm's file names hold a hash of their content."""
    return f"{chosen.hub}/{chosen.hub_file}" if chosen.hub else Path(chosen.url).name


def _plain(data: DataCard, smallest: int = 1, *, fixed: bool = False) -> tuple[Preprocessing, tuple[str, ...]]:
    """For weights without a preprocessing of their own: the data's images as they are, in [-1, 1]."""
    side = data.image_size or DEFAULT_SIZE
    crop = smallest if fixed else max(side, smallest)
    if data.image_size is None:
        return Preprocessing(crop=crop, resize=round(crop * 256 / 224)), ()
    note = noted("it takes images of {crop} px: those of {side} px are resized", crop=crop, side=side)
    return Preprocessing(crop=crop, resize=None), () if crop == side else (note,)


def _foreign(spec: ContenderSpec, data: DataCard, smallest: int = 1, *, fixed: bool = False) -> Any:
    """For weights from elsewhere: what the spec's settings say, else ImageNet's mean and deviation are assumed."""
    plain, notes = _plain(data, smallest, fixed=fixed)
    prepared = preparation(spec, replace(plain, mean=IMAGENET_MEAN, std=IMAGENET_STD))
    if "mean" in spec.settings and "std" in spec.settings:
        return prepared, notes
    assumed = noted(
        "how its images were normalised is not known: ImageNet's mean and std are assumed (?mean=, ?std= say it)"
    )
    return prepared, (*notes, assumed)


def _existing(spec: ContenderSpec) -> Path:
    path = Path(spec.target).expanduser()
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        beside = [p.name for p in path.parent.glob("*") if p.is_file()] if path.parent.is_dir() else []
        raise WeightsError(f"the file {spec.target} is {what}", hint=nearest(path.name, beside))
    return path


def _file(spec: ContenderSpec, data: DataCard) -> ContenderCard:
    path = _existing(spec)
    if is_detector(spec.settings["arch"].removeprefix("torchvision:")):
        return _detector_file(spec, path)
    library, name = architecture_of(spec)
    architecture = find(library, name)
    shape = _shape(spec, architecture)
    prepared, notes = _foreign(spec, data, architecture.smallest, fixed=architecture.fixed)
    content = sha256(path)
    return _card(
        spec,
        (library, name, version(library), content, *_told(shape)),
        architecture=name,
        weights=path.name,
        recipe=f"unknown (file {path.name})",
        head="unknown",
        preprocessing=prepared,
        notes=(*shape.words(), *notes),
        outputs=outputs_for(data.classes),
    )


def _onnx(spec: ContenderSpec, data: DataCard) -> ContenderCard:
    path = _existing(spec)
    prepared, notes = _foreign(spec, data)
    content = sha256(path)
    return _card(
        spec,
        (content, _installed("onnxruntime")),
        architecture=f"ONNX graph {path.stem}",
        weights=path.name,
        recipe=f"unknown (file {path.name})",
        head="unknown",
        preprocessing=prepared,
        notes=(*notes, noted("an ONNX graph cannot be trained here")),
        outputs=outputs_for(data.classes),
    )


def _py(spec: ContenderSpec, data: DataCard) -> ContenderCard:
    path = find_factory(spec.target)
    content = sha256(path)
    prepared, notes = _plain(data) if spec.scratch else _foreign(spec, data)
    own = noted("your own code, run as it is; its digest covers {file} and not what that imports", file=path.name)
    taken = noted("the weights are taken as {target} makes them; @scratch trains it here", target=spec.target)
    return _card(
        spec,
        (spec.target, content, spec.weights),
        architecture=spec.target,
        weights=SCRATCH if spec.scratch else "as made",
        recipe=SCRATCH if spec.scratch else f"unknown (py {spec.target})",
        head="data" if spec.scratch else "unknown",
        preprocessing=preparation(spec, prepared),
        notes=(own, *(() if spec.scratch else (taken,)), *notes),
        outputs=() if spec.scratch else outputs_for(data.classes),
    )


def _hf(spec: ContenderSpec, data: DataCard) -> ContenderCard:
    folder = hub.folder(spec.target, "" if spec.scratch else spec.weights)
    config = hub.read_json(folder / "config.json")
    local = Path(spec.target).expanduser().is_dir()
    if local and spec.weights and not spec.scratch:
        raise SpecError(f"a local folder has no revisions, got hf:{spec.target}@{spec.weights}")
    outputs: tuple[int, ...]
    if not spec.scratch and any(str(kind) in HF_DETECTORS for kind in config.get("architectures") or ()):
        return _hf_detector(spec, folder, local=local)
    if spec.scratch:
        side = config.get("image_size")
        fixed = isinstance(side, int)
        prepared, notes = _plain(data, side if isinstance(side, int) else 1, fixed=fixed)
        head, outputs = "data", ()
    else:
        prepared, notes = _hf_preprocessing(folder, data)
        head, outputs, said = _hf_head(config, data)
        notes = (*notes, *said)
    if local:
        identity = sha256(folder / "config.json", *([] if spec.scratch else sorted(folder.glob("*.safetensors"))))
    else:
        identity = f"{spec.target} {folder.name}"  # a snapshot's folder is named by its commit
    revision = "local folder" if local else folder.name
    return _card(
        spec,
        (identity, spec.weights, _installed("transformers")),
        architecture=spec.target,
        weights=SCRATCH if spec.scratch else revision,
        recipe=SCRATCH if spec.scratch else f"hf:{spec.target}",
        head=head,
        preprocessing=prepared,
        notes=notes,
        outputs=outputs,
    )


def _trained_detector(spec: ContenderSpec) -> ContenderCard:
    """A detector of torchvision with its published weights."""
    sets = detector_sets(spec.target)
    if spec.scratch or spec.settings:
        raise SpecError(
            f"the detector {spec.target} is compared as it was published",
            hint="to train one here, name its backbone: resnet50@scratch --study detection",
        )
    name = next(iter(sets)) if spec.weights in ("", "DEFAULT") else spec.weights
    if name not in sets:
        hint = nearest(name, sets) or f"known: {', '.join(sets)}"
        raise SpecError(f"{spec.target} has no published weights {spec.weights!r}", hint=hint)
    return _card(
        replace(spec, weights=name),
        (spec.target, version("torchvision"), name, Path(sets[name].url).name),
        architecture=spec.target,
        weights=name,
        recipe=f"torchvision:{name} <{sets[name].recipe}>",
        head=BOXES,
        preprocessing=PREPARED,
        notes=(_AS_IT_COMES,),
    )


def _detector_file(spec: ContenderSpec, path: Path) -> ContenderCard:
    """A file of weights for a detector of torchvision."""
    name = spec.settings["arch"].removeprefix("torchvision:")
    return _card(
        spec,
        (name, version("torchvision"), sha256(path)),
        architecture=name,
        weights=path.name,
        recipe=f"unknown (file {path.name})",
        head=BOXES,
        preprocessing=PREPARED,
        notes=(_AS_IT_COMES,),
    )


def _hf_detector(spec: ContenderSpec, folder: Path, *, local: bool) -> ContenderCard:
    """A detector of transformers, such as DETR."""
    if local:
        identity = sha256(folder / "config.json", *sorted(folder.glob("*.safetensors")))
    else:
        identity = f"{spec.target} {folder.name}"
    return _card(
        spec,
        (identity, spec.weights, _installed("transformers")),
        architecture=spec.target,
        weights="local folder" if local else folder.name,
        recipe=f"hf:{spec.target}",
        head=BOXES,
        preprocessing=PREPARED,
        notes=(_AS_IT_COMES,),
    )


def _results(spec: ContenderSpec, data: DataCard) -> ContenderCard:
    """A file, or a folder of files, with what some model said. What is in it is read by the studies that take it."""
    path = Path(spec.target).expanduser()
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [_existing(spec)]
    if not files:
        raise WeightsError(f"the folder {spec.target} holds no files of results")
    if path.suffix == ".json":
        check_results(path)
    plain, _ = _plain(data)
    return _card(
        spec,
        ([str(one.relative_to(path)) for one in files] if path.is_dir() else [], sha256(*files)),
        architecture=f"results {path.stem}",
        weights=path.name,
        recipe=f"unknown (results {path.name})",
        head="tracks" if looks_like_results(path) else "results",
        preprocessing=plain,
        notes=(noted("a file of results: there is no network, so that only what it says can be compared"),),
    )


def _hf_head(config: Mapping[str, Any], data: DataCard) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    """What a transformers classifier's outputs mean, by the labels in its configuration."""
    found = config.get("id2label")
    named = [str(found.get(str(i))) for i in range(len(found))] if isinstance(found, Mapping) else []
    if named == list(labels()):
        return "imagenet-1k", outputs_for(data.classes), ()
    if named and set(data.classes) <= set(named) and len(set(named)) == len(named):
        return "other", tuple(named.index(name) for name in data.classes), ()
    return (
        "unknown",
        (),
        (noted("its labels are not named as the classes of {data}: their order is assumed the same", data=data.name),),
    )


def _hf_preprocessing(folder: Path, data: DataCard) -> tuple[Preprocessing, tuple[str, ...]]:
    """What the repository says of it, else ImageNet's mean and deviation are assumed."""
    own = hub.read_json(folder / "preprocessor_config.json")
    if not own:
        plain, notes = _plain(data)
        assumed = noted("it has no preprocessor_config.json: ImageNet's mean and std are assumed")
        return replace(plain, mean=IMAGENET_MEAN, std=IMAGENET_STD), (*notes, assumed)
    return preprocessing_of(own, str(folder / "preprocessor_config.json")), ()


_RESOLVERS: Mapping[Source, Callable[[ContenderSpec, DataCard], ContenderCard]] = {
    "torchvision": _library,
    "timm": _library,
    "hf": _hf,
    "file": _file,
    "onnx": _onnx,
    "py": _py,
    "results": _results,
}
