"""Made-up sequences: objects that cross, come and go, and what a tracker might have made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netversus.lab.tracking.tracks import COUNTED, Tracks, Truth

Rows = list[tuple[int, int, float, float, float, float]]


def world(seed: int, length: int = 40, objects: int = 6) -> tuple[Rows, Rows]:
    """True and tracked boxes: (frame, id, left, top, right, bottom). Identities change, boxes are missed and invented."""
    rng = np.random.default_rng(seed)
    place, step = rng.uniform(0, 150, (objects, 2)), rng.normal(0, 3, (objects, 2))
    side = rng.uniform(15, 50, (objects, 2))
    names, fresh = list(rng.permutation(objects) + 1), objects + 1
    true: Rows = []
    found: Rows = []
    for frame in range(length):
        place = place + step
        if frame in (7, 8):
            continue  # pictures without anything
        for one in range(objects):
            box = np.concatenate([place[one], place[one] + side[one]])
            if frame != 11 and rng.random() < 0.9:
                true.append((frame, one + 5, *box.tolist()))
            if rng.random() < 0.06:
                names[one], fresh = fresh, fresh + 1
            if frame != 12 and rng.random() < 0.9:
                found.append((frame, int(names[one]), *(box + rng.normal(0, 4, 4)).tolist()))
        if rng.random() < 0.3:
            far = rng.uniform(300, 400, 2)
            found.append((frame, fresh, *far.tolist(), *(far + 30).tolist()))
            fresh += 1
    return true, found


def tracks(rows: Rows) -> Tracks:
    """The rows as tracks."""
    table = np.array(rows, dtype=np.float64).reshape(-1, 6)
    return Tracks(table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2:], np.ones(len(table)))


def truth(rows: Rows, length: int, unit: str = "a") -> Truth:
    """The rows as what there is, all of which counts."""
    return Truth(unit, length, tracks(rows), np.full(len(rows), COUNTED, dtype=np.int64))


def write(path: Path, rows: Rows, rest: str = "1,-1,-1,-1") -> None:
    """The rows as a file of MOTChallenge's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(
            f"{frame + 1},{name},{left + 1!r},{top + 1!r},{right - left!r},{bottom - top!r},{rest}\n"
            for frame, name, left, top, right, bottom in rows
        )
    )
