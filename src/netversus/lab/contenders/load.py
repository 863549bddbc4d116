"""From a contender's card to its network. Loads torch; nothing is downloaded here (see `availability`)."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn

from netversus.errors import MissingExtraError, WeightsError
from netversus.lab.contenders.spec import parse
from netversus.lab.weights_file import read_state_dict
from netversus.records import ContenderCard


def load(card: ContenderCard, *, classes: int, seed: int, weights: Path | None = None) -> nn.Module:
    """The contender's network in eval mode, on the CPU, giving logits of shape (n, classes).

    Random weights follow from `seed` alone, and the global random state is left as it was. `weights` is a file that
    was trained in this run, for a contender whose own weights are random.

    Raises:
        WeightsError: the weights do not fit the architecture or the data.
        UnsafeFileError: the file of weights needs more than tensors.
        MissingExtraError: the source needs an optional package.
    """
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


def _torchvision(card: ContenderCard, classes: int) -> nn.Module:
    from torchvision.models import get_model, get_model_weights

    if card.untrained:
        return _module(get_model(card.architecture, weights=None, num_classes=classes))
    url = get_model_weights(card.architecture)[card.weights].url
    model = _module(get_model(card.architecture, weights=None))
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(url).name
    fill(model, read_state_dict(file), str(file))
    return model


def _timm(card: ContenderCard, classes: int) -> nn.Module:
    import timm

    if card.untrained:
        return _module(timm.create_model(card.architecture, pretrained=False, num_classes=classes))
    return _module(timm.create_model(f"{card.architecture}.{card.weights}", pretrained=True))


def _file(card: ContenderCard, classes: int) -> nn.Module:
    """The architecture by name, with as many outputs as the file's last layer has."""
    from torchvision.models import get_model, list_models

    del classes  # the file knows; whether that fits the data is the study's concern
    spec = parse(card.spec)
    state = read_state_dict(Path(spec.path))
    outputs = _outputs(state)
    if card.architecture in list_models():
        model = get_model(card.architecture, weights=None, num_classes=outputs)
    else:
        import timm

        model = timm.create_model(card.architecture, pretrained=False, num_classes=outputs)
    fill(model, state, spec.path)
    return _module(model)


def _outputs(state: Mapping[str, Tensor]) -> int:
    """The rows of the last matrix: the head's number of classes."""
    matrices = [tensor for tensor in state.values() if tensor.ndim == 2]
    return int(matrices[-1].shape[0]) if matrices else 1000


def _hf(card: ContenderCard, classes: int) -> nn.Module:
    try:
        from transformers import AutoConfig, AutoModelForImageClassification
    except ImportError:
        raise MissingExtraError("transformers", "hf", card.name) from None
    try:
        if card.untrained:
            config = AutoConfig.from_pretrained(card.architecture, num_labels=classes, local_files_only=True)
            return _Logits(AutoModelForImageClassification.from_config(config))
        return _Logits(
            AutoModelForImageClassification.from_pretrained(
                card.architecture, use_safetensors=True, trust_remote_code=False, local_files_only=True
            )
        )
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(f"cannot load {card.name}: {reason}", hint="it must hold config.json and safetensors") from None


class _Logits(nn.Module):
    """A transformers classifier that gives its logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(pixel_values=images).logits
        return logits


def _onnx(card: ContenderCard, classes: int) -> nn.Module:
    del classes
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtraError("onnxruntime", "onnx", card.name) from None
    path = parse(card.spec).path
    try:
        return _Onnx(onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]))
    except Exception as error:  # onnxruntime's errors have no common base that it exports
        raise WeightsError(f"cannot open {path} as ONNX: {str(error).splitlines()[0]}") from None


class _Onnx(nn.Module):
    """An ONNX graph with one image input and logits as its first output. It has no parameters to train."""

    def __init__(self, session: object) -> None:
        super().__init__()
        self.session = session

    def forward(self, images: Tensor) -> Tensor:
        name = self.session.get_inputs()[0].name  # type: ignore[attr-defined]
        outputs = self.session.run(None, {name: images.cpu().numpy()})  # type: ignore[attr-defined]
        return torch.from_numpy(outputs[0]).to(images.device)


def _py(card: ContenderCard, classes: int) -> nn.Module:
    """A factory of the user's own code; it may take `classes`."""
    import inspect

    module, _, name = card.architecture.partition(":")
    factory = getattr(import_module(module), name)
    takes = "classes" in inspect.signature(factory).parameters
    return _module(factory(classes=classes) if takes else factory())


def _module(made: object) -> nn.Module:
    if not isinstance(made, nn.Module):
        raise WeightsError(f"the factory must return a torch.nn.Module, it returned {type(made).__name__}")
    return made


_LOADERS = {
    "torchvision": _torchvision,
    "timm": _timm,
    "file": _file,
    "hf": _hf,
    "onnx": _onnx,
    "py": _py,
}
