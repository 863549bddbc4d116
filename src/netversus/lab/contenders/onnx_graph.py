"""An ONNX graph as a module, run by ONNX Runtime on the CPU."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from netversus.errors import MissingExtraError, WeightsError
from netversus.lab.contenders.hub import first_line
from netversus.records import ContenderCard


class OnnxGraph(nn.Module):
    """A graph with one image input and logits as its first output. It has no parameters and cannot be trained.

    `outputs` is how many logits it gives for an image, seen by showing it one: a graph may leave that open.

    Raises:
        MissingExtraError: ONNX Runtime is not installed.
        WeightsError: the file is no such graph, or takes images of another size than `card` prepares.
    """

    def __init__(self, path: Path, card: ContenderCard) -> None:
        super().__init__()
        try:
            import onnxruntime
        except ImportError:
            raise MissingExtraError("onnxruntime", "onnx", card.name) from None
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is said in an error of ours
        # Else its threads spin on after a call, and whoever has the next turn is timed beside them.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 (its errors have no common base that it exports)
            raise WeightsError(f"cannot open {path} as ONNX: {first_line(error)}") from None
        self._input = self._only_input(path)
        self._batch = self._fixed_batch(path, card.preprocessing.crop)
        self.outputs = self._count(path, card.preprocessing.crop)

    def _only_input(self, path: Path) -> str:
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 4:
            found = ", ".join(f"{i.name}: {i.type} {i.shape}" for i in inputs)
            raise WeightsError(f"{path} should take one float32 input of shape (n, 3, h, w), it takes {found}")
        return str(inputs[0].name)

    def _fixed_batch(self, path: Path, crop: int) -> int | None:
        batch, channels, *sides = self._session.get_inputs()[0].shape
        if isinstance(channels, int) and channels != 3:
            raise WeightsError(f"{path} takes images of {channels} channels, not 3", hint="export it with NCHW input")
        wrong = [side for side in sides if isinstance(side, int) and side != crop]
        if wrong:
            raise WeightsError(f"{path} takes images of {wrong[0]} px, not {crop}", hint=f"add ?crop={wrong[0]}")
        return batch if isinstance(batch, int) else None

    def _count(self, path: Path, crop: int) -> int:
        try:
            logits = self.forward(torch.zeros(1, 3, crop, crop))
        except Exception as error:  # noqa: BLE001 (as above)
            raise WeightsError(f"{path} cannot be run on an image of {crop} px: {first_line(error)}") from None
        if logits.ndim != 2 or len(logits) != 1 or not logits.is_floating_point():
            raise WeightsError(
                f"{path} should give logits of shape (n, classes), for one image it gives {tuple(logits.shape)} "
                f"of {str(logits.dtype).removeprefix('torch.')}"
            )
        return logits.shape[1]

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images: float32, shape (n, 3, h, w). A graph of a fixed batch gets that many at a time."""
        parts = torch.split(images.detach(), self._batch or len(images))
        return torch.cat([self._run(part) for part in parts]).to(images.device)

    def _run(self, images: Tensor) -> Tensor:
        lack = (self._batch or len(images)) - len(images)
        filled = torch.cat([images, images.new_zeros(lack, *images.shape[1:])]) if lack else images
        (logits, *_) = self._session.run(None, {self._input: filled.float().cpu().numpy()})
        return torch.from_numpy(logits)[: len(images)]
