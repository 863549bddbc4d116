"""A gate written down beside the code that it guards.

candidate = "resnet101"          # and baseline; either may be left out where the run leaves no choice
baseline = "resnet50"
level = 0.95                     # the run's own where it is left out
conditions = [
    "accuracy.top1.delta >= -0.005",
    "speed.latency_p95.ratio <= 1.2",
]

[security]                       # thresholds of the security verdict that differ from its own; docs/security.md
evasion = "adversarial.robust_top1.value >= 30%"
privacy = "accepted"             # not tested, and said to be so
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from netversus.errors import OptionError, nearest
from netversus.request import describe, read_toml

Confidence = Annotated[float, Field(gt=0.5, lt=1)]


class GateFile(BaseModel):
    """The settings of a gate; flags beside the file win over it, conditions beside it are added to its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    candidate: str = ""
    baseline: str = ""
    level: Confidence | None = None
    conditions: tuple[str, ...] = ()
    security: dict[str, str] = Field(default_factory=dict)


def read_gate(path: Path) -> GateFile:
    """A gate's file.

    Raises:
        OptionError: the file cannot be read, is not TOML, or holds what a gate does not take.
    """
    values = read_toml(path)
    try:
        return GateFile.model_validate(values)
    except ValidationError as error:
        unknown = [name for name in values if name not in GateFile.model_fields]
        hint = nearest(unknown[0], GateFile.model_fields) if unknown else ""
        raise OptionError(f"{path}: {describe(error)}", hint=hint) from None
