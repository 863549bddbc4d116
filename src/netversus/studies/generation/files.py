"""The artifacts of the study: strips of pictures, a contender's own each."""

from __future__ import annotations

PROGRESS = "progress.png"
ASCENT = "ascent.png"


def painted_file(number: int) -> str:
    """The pictures of classes that were painted together."""
    return f"pictures-{number:03d}.png"


def restored_file(stage: int) -> str:
    """The images restored from one stage."""
    return f"restored-{stage:02d}.png"
