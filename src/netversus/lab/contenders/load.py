"""From a contender's card to its network. Loads torch; nothing is downloaded here (see `availability`)."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netversus.errors import MissingExtraError, NetversusError, WeightsError
from netversus.lab.artifacts.scan import vouched
from netversus.lab.contenders import hub
from netversus.lab.contenders.availability import published_file
from netversus.lab.contenders.detectors import BOXES
from netversus.lab.contenders.own_code import search_path
from netversus.lab.contenders.reshape import cut_by_timm, reshaped
from netversus.lab.contenders.resolve import architecture_of
from netversus.lab.contenders.shape import Shape, is_resnet, shape_of
from netversus.lab.contenders.spec import parse
from netversus.lab.weights_file import read_state_dict
from netversus.records import ContenderCard

IMAGENET_CLASSES = 1000
# Their auxiliary classifiers make them answer with a tuple while they train.
_AUXILIARY = {"googlenet", "inception_v3"}


def load(card: ContenderCard, *, classes: int, seed: int, weights: Path | None = None) -> nn.Module:
    """The contender's network in eval mode, on the CPU: images to logits of shape (n, classes).

    With 0 `classes` nobody asks for its answers (it is a backbone): it keeps the outputs that it has, or has one.

    Random weights follow from `seed` alone, and the global random state is left as it was. `weights` is a file that
    was trained in this run, for a contender whose own weights are random. Published weights whose classes are not
    the data's (`card.answers` is false) keep their own outputs.

    Raises:
        WeightsError: the weights do not fit the architecture or the data.
        UnsafeFileError: the file of weights needs more than tensors.
        MissingExtraError: the source needs an optional package.
    """
    if card.head == BOXES:
        raise WeightsError(f"{card.name} is a detector: it answers with boxes, not with logits")
    if not classes:
        card, classes = replace(card, head=card.head if card.untrained else "other", outputs=()), 1
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        model = _LOADERS[card.source](card, classes)
    if weights is not None:
        fill(model, read_state_dict(weights), str(weights))
    return model.eval()


def fill(model: nn.Module, state: Mapping[str, Tensor], origin: str) -> None:
    """Put a state dict into a network, whole or not at all.

    Raises:
        WeightsError: names the first tensor that is missing, left over or of another shape.
    """
    wanted = model.state_dict()
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    left = [name for name in state if name not in wanted]
    shapes = [name for name in wanted if name in state and wanted[name].shape != state[name].shape]
    if missing or left:
        names = f"it lacks {missing[0]!r}" if missing else f"nothing takes its {left[0]!r}"
        raise WeightsError(
            f"{origin} does not fit the architecture: {names} ({len(missing)} missing, {len(left)} left over)",
            hint="check ?arch=",
        )
    if shapes:
        name = shapes[0]
        raise WeightsError(
            f"{origin} does not fit: {name!r} has shape {tuple(state[name].shape)}, "
            f"expected {tuple(wanted[name].shape)}",
            hint="check ?arch= and the number of classes",
        )
    model.load_state_dict(dict(state), strict=False)


class Selected:
    """A forward hook that keeps the outputs which stand for the data's classes, in their order."""

    def __init__(self, outputs: tuple[int, ...]) -> None:
        self.outputs = torch.tensor(outputs)

    def __call__(self, _module: nn.Module, _images: object, logits: Tensor) -> Tensor:
        """The chosen columns of logits of shape (n, outputs)."""
        return logits[:, self.outputs.to(logits.device)]


def _selecting(model: nn.Module, card: ContenderCard, have: int, classes: int) -> nn.Module:
    """The network, answering in the data's classes; `have` is how many outputs it has."""
    if card.outputs and have > max(card.outputs) and (have == IMAGENET_CLASSES or card.head == "other"):
        if card.outputs != tuple(range(have)):
            model.register_forward_hook(Selected(card.outputs))
    elif have != classes and card.answers:
        raise WeightsError(
            f"{card.name} has {have:,} outputs, the data have {classes:,} classes",
            hint="weights are compared on the classes that they were trained for",
        )
    return model


def _torchvision(card: ContenderCard, classes: int) -> nn.Module:
    from torchvision.models import get_model, get_model_weights

    if card.untrained:
        return _scratch_torchvision(card.architecture, classes, shape_of(parse(card.spec).settings))
    published = get_model_weights(card.architecture)[card.weights]
    with through_our_door(published_file(card)):
        model = get_model(card.architecture, weights=published)
    return _selecting(_module(model), card, IMAGENET_CLASSES, classes)


def _scratch_torchvision(architecture: str, classes: int, shape: Shape) -> nn.Module:
    from torchvision.models import get_model

    settings = {"aux_logits": False, "init_weights": True} if architecture in _AUXILIARY else {}
    model = _module(get_model(architecture, weights=None, num_classes=classes, **settings))
    return model if shape.whole else reshaped(model, shape, classes, architecture)


def _scratch_timm(architecture: str, classes: int, shape: Shape) -> nn.Module:
    import timm

    if shape.stages and not is_resnet("timm", architecture):
        return cut_by_timm(architecture, shape.stages, classes)
    model = _module(timm.create_model(architecture, pretrained=False, num_classes=classes))
    return model if shape.whole else reshaped(model, shape, classes, architecture)


@contextmanager
def through_our_door(file: Path) -> Iterator[None]:
    """Let torchvision's builders, which know what each set needs, take their weights from `read_state_dict`:
    their own reader unpickles whatever the file holds."""
    from torchvision.models import WeightsEnum

    theirs = WeightsEnum.get_state_dict
    WeightsEnum.get_state_dict = lambda *_, **__: read_state_dict(file)
    try:
        yield
    except RuntimeError as error:  # load_state_dict's, which lists every name
        raise WeightsError(f"{file} does not fit the architecture: {_second_line(error)}") from None
    finally:
        WeightsEnum.get_state_dict = theirs


def _timm(card: ContenderCard, classes: int) -> nn.Module:
    import timm

    if card.untrained:
        return _scratch_timm(card.architecture, classes, shape_of(parse(card.spec).settings))
    full = f"{card.architecture}.{card.weights}" if card.weights else card.architecture
    file = published_file(card)
    state = read_state_dict(file)
    try:
        model = timm.create_model(
            full, pretrained=True, pretrained_cfg_overlay={"state_dict": state, "custom_load": False}
        )
    except (RuntimeError, KeyError) as error:
        raise WeightsError(f"{file} does not fit the architecture: {_second_line(error)}") from None
    model.pretrained_cfg.pop("state_dict", None)  # a second copy of all weights
    return _selecting(_module(model), card, int(model.num_classes), classes)


def _file(card: ContenderCard, classes: int) -> nn.Module:
    """The architecture by name, with as many outputs as the file's head has."""
    spec = parse(card.spec)
    state = read_state_dict(Path(spec.target).expanduser())
    library, name = architecture_of(spec)
    scratch = _scratch_timm if library == "timm" else _scratch_torchvision
    shape = shape_of(spec.settings)
    model = scratch(name, classes, shape)
    outputs = _outputs(state, model, classes)
    if outputs != classes:
        model = scratch(name, outputs, shape)
    fill(model, state, spec.target)
    return _selecting(model, card, outputs, classes)


def _outputs(state: Mapping[str, Tensor], model: nn.Module, classes: int) -> int:
    """How many outputs a file's head has: where it differs from `model` in the length of a tensor that has one
    entry a class, and in nothing else. (A file's order tells nothing: safetensors sorts the names.)
    """
    for name, tensor in model.state_dict().items():
        theirs = state[name].shape if name in state else tensor.shape
        if theirs != tensor.shape and len(theirs) == tensor.ndim >= 1 and tensor.shape == (classes, *theirs[1:]):
            return int(theirs[0])
    return classes


def _hf(card: ContenderCard, classes: int) -> nn.Module:
    try:
        from transformers import AutoConfig, AutoModelForImageClassification
    except ImportError:
        raise MissingExtraError("transformers", "hf", card.name) from None
    spec = parse(card.spec)
    folder = hub.folder(spec.target, "" if card.untrained else spec.weights)
    for file in () if card.untrained else folder.glob("*.safetensors"):
        _require(file, "safetensors", f"{file} is not a safetensors file")
    try:
        if card.untrained:
            config = AutoConfig.from_pretrained(folder, num_labels=classes, trust_remote_code=False)
            return Logits(AutoModelForImageClassification.from_config(config, trust_remote_code=False))
        with _quiet_transformers():
            model, report = AutoModelForImageClassification.from_pretrained(
                folder,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # told below, in one line
            )
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"cannot load {card.name}: {hub.first_line(error)}") from None
    absent, others = sorted(report["missing_keys"]), sorted(report["mismatched_keys"])
    if absent or others:
        what = f"{absent[0]!r} is not among them" if absent else f"{others[0][0]!r} has another shape"
        raise WeightsError(f"the weights of {card.name} do not fit its config.json: {what}")
    return _selecting(Logits(model), card, int(model.config.num_labels), classes)


def _require(path: Path, kind: str, wrong: str) -> None:
    """Let a file pass that is clean and of this kind; `wrong` begins the sentence that refuses another.

    Raises:
        UnsafeFileError: it is hostile or suspicious.
        WeightsError: it is of another kind, or cannot be vouched for.
    """
    try:
        found = vouched(path)
    except WeightsError as error:
        raise WeightsError(f"{wrong}: {error.message}", hint=error.hint) from None
    if found.format != kind:
        raise WeightsError(f"{wrong}: its content is {found.format}", hint="download it again")


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Without its progress bar and its report of many lines."""
    from transformers.utils import logging

    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


class Logits(nn.Module):
    """A transformers image classifier that gives its logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images: float32, shape (n, 3, h, w)."""
        logits: Tensor = self.model(pixel_values=images).logits
        return logits


def _onnx(card: ContenderCard, classes: int) -> nn.Module:
    from netversus.lab.contenders.onnx_graph import OnnxGraph

    path = Path(parse(card.spec).target).expanduser()
    _require(path, "ONNX", f"cannot open {path} as ONNX")
    graph = OnnxGraph(path, card)
    return _selecting(graph, card, graph.outputs, classes)


def _py(card: ContenderCard, classes: int) -> nn.Module:
    """A factory of the user's own code. One with a parameter `num_classes` is told how many the data have."""
    module, _, name = card.architecture.partition(":")
    for place in search_path():
        if place not in sys.path:
            sys.path.insert(0, place)
    try:
        factory = getattr(import_module(module), name)
        made = factory(num_classes=classes) if _takes_classes(factory) else factory()
    except NetversusError:
        raise
    except (Exception, SystemExit) as error:  # whatever the user's code raises; a script may end in sys.exit()
        raise WeightsError(f"{card.architecture} failed: {type(error).__name__}: {hub.first_line(error)}") from error
    model = _module(made)
    return _selecting(model, card, _answered(model, card), classes) if card.answers and not card.untrained else model


def _answered(model: nn.Module, card: ContenderCard) -> int:
    """How many outputs a network has of whose inside nothing is known: it is shown a picture of noise."""
    size = card.preprocessing.crop
    noise = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            answers = model.eval()(noise)
    except Exception as error:  # whatever the user's code raises
        said = f"{type(error).__name__}: {hub.first_line(error)}"
        raise WeightsError(f"{card.name} failed on a picture: {said}") from error
    if not isinstance(answers, Tensor) or answers.ndim != 2:
        got = f"shape {tuple(answers.shape)}" if isinstance(answers, Tensor) else f"a {type(answers).__name__}"
        raise WeightsError(f"{card.name} must answer with logits, shape (images, classes), it answers with {got}")
    return int(answers.shape[1])


def _results(card: ContenderCard, classes: int) -> nn.Module:
    del classes
    raise WeightsError(f"{card.name} is a file of results: there is no network in it")


def _takes_classes(factory: Callable[..., Any]) -> bool:
    return "num_classes" in inspect.signature(factory).parameters


def _module(made: object) -> nn.Module:
    if not isinstance(made, nn.Module):
        raise WeightsError(f"the factory must return a torch.nn.Module, it returned {type(made).__name__}")
    return made


def _second_line(error: BaseException) -> str:
    """The first cause in load_state_dict's message, below its headline."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(1, len(lines) - 1)][:200] if lines else type(error).__name__


_LOADERS: Mapping[str, Callable[[ContenderCard, int], nn.Module]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "file": _file,
    "hf": _hf,
    "onnx": _onnx,
    "py": _py,
    "results": _results,
}
