"""Boxes to tracks by a tracker of Roboflow's `trackers`, which asks for place and score alone.

Its settings are its own defaults, but that a track counts as soon as the library can name it, which is in its second
picture: the first box of every track has no name there, and is missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from netversus.errors import MissingExtraError
from netversus.lab.tracking.given import Shown
from netversus.lab.tracking.tracks import Tracks, joined

Name = Literal["sort", "bytetrack", "ocsort"]
_CLASSES = {"sort": "SORTTracker", "bytetrack": "ByteTrackTracker", "ocsort": "OCSORTTracker"}
_SOONEST = 1
_UNNAMED = -1  # what the library calls a box whose track is not sure yet


def track_by(name: Name, shown: Sequence[Shown]) -> Tracks:
    """The tracks of one sequence, their names from 1; boxes that the tracker gives no name are left out.

    Raises:
        MissingExtraError: the library is not installed.
    """
    made, detections = _tracker(name)
    parts = []
    for frame, one in enumerate(shown):
        answer = made.update(
            detections(
                xyxy=one.corners.reshape(-1, 4).astype(np.float32),
                confidence=one.scores.astype(np.float32),
                class_id=np.zeros(len(one), dtype=int),
            )
        )
        ids = np.asarray(answer.tracker_id if answer.tracker_id is not None else [], dtype=np.int64)
        named = ids != _UNNAMED
        scores = np.asarray(answer.confidence if answer.confidence is not None else np.ones(len(ids)))
        parts.append((frame, ids[named] + 1, np.asarray(answer.xyxy)[named], scores[named]))
    return joined(parts)


def _tracker(name: Name) -> tuple[Any, Any]:
    """A fresh tracker, and the class of what it is given."""
    try:
        import trackers
        from supervision import Detections
    except ImportError:
        raise MissingExtraError("trackers", "tracking", f"the tracker {name}") from None
    return getattr(trackers, _CLASSES[name])(minimum_consecutive_frames=_SOONEST), Detections
