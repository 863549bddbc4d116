"""A network recorded as CUDA graphs and replayed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WARM_UPS = 3  # before recording, as torch advises: at their first calls libraries allocate and choose algorithms


class Replayed(nn.Module):
    """A network on a GPU whose kernels are recorded at the first sight of a shape, and replayed after that.

    Recorded graphs read and write the same memory each time; they share one pool, so that a second batch size does not
    hold a second set of activations.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._recorded: dict[torch.Size, tuple[torch.cuda.CUDAGraph, Tensor, Tensor]] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images, shape (n, 3, h, w), on the GPU."""
        if images.shape not in self._recorded:
            self._recorded[images.shape] = self._record(images)
        graph, inputs, logits = self._recorded[images.shape]
        inputs.copy_(images)
        graph.replay()
        return logits.clone()  # the next replay writes over it

    def _record(self, images: Tensor) -> tuple[torch.cuda.CUDAGraph, Tensor, Tensor]:
        inputs = images.clone()
        with torch.cuda.device(images.device):
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            current = torch.cuda.current_stream()
            side.wait_stream(current)
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):
                    self.network(inputs)
            current.wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self._pool):
                logits = self.network(inputs)
        return graph, inputs, logits
