"""A network that can be trained and asked, and that no engine can record: a contender by `py:stubborn_nets:undecided`."""

from __future__ import annotations

from torch import Tensor, nn


class Undecided(nn.Module):
    """Its code goes one way or the other by what the images hold: a recording of one way is wrong on the other."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3, stride=4)
        self.head = nn.Linear(8, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.convolution(images)
        logits: Tensor = self.head((-seen if images.sum() > 0 else seen).mean((2, 3)))
        return logits


def undecided(num_classes: int = 10) -> nn.Module:
    return Undecided(num_classes)
