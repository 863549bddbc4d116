"""HOTA, CLEAR MOT and Identity of the same files by TrackEval and by netversus: how many times faster, and the same.

Both read the same ground truth and results, sequence by sequence, in turns in one process; the fastest of several
repetitions counts. TrackEval runs with its preprocessing off (there are no distractors); both use one core.

    python benchmarks/hota.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from record import record
from trackeval.datasets import MotChallenge2DBox
from trackeval.metrics import CLEAR, HOTA, Identity

from netversus.lab.data.mot_rows import rows_of
from netversus.lab.tracking.judge import judge
from netversus.lab.tracking.results import tracks_of
from netversus.lab.tracking.tracks import COUNTED, Tracks, Truth
from netversus.statistics.tracks import Counts, score

GOAL = 2.0
SEQUENCES, FRAMES, OBJECTS = 8, 300, 20
NAMES = tuple(f"s{number}" for number in range(SEQUENCES))


def write_world(root: Path, rng: np.random.Generator) -> int:
    """Ground truth and results of all sequences as files; the number of boxes in them."""
    boxes = 0
    for name in NAMES:
        place, step = rng.uniform(0, 900, (OBJECTS, 2)), rng.normal(0, 3, (OBJECTS, 2))
        side, called, fresh = rng.uniform(20, 120, (OBJECTS, 2)), list(range(1, OBJECTS + 1)), OBJECTS + 1
        true, found = [], []
        for frame in range(1, FRAMES + 1):
            place += step + rng.normal(0, 1, step.shape)
            for one in range(OBJECTS):
                box = np.concatenate([place[one], side[one]])
                if rng.random() < 0.95:
                    true.append(f"{frame},{one + 1},{_text(box)},1,1,1")
                if rng.random() < 0.02:
                    called[one], fresh = fresh, fresh + 1
                if rng.random() < 0.9:
                    found.append(f"{frame},{called[one]},{_text(box + rng.normal(0, 6, 4))},1,-1,-1,-1")
        for path, lines in ((root / "gt" / name / "gt" / "gt.txt", true), (_result(root, name), found)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines) + "\n")
            boxes += len(lines)
    return boxes


def _text(box: np.ndarray[Any, Any]) -> str:
    return ",".join(f"{value:.2f}" for value in box)


def _result(root: Path, name: str) -> Path:
    return root / "found" / "it" / "data" / f"{name}.txt"


def peer(root: Path, spent: dict[str, float]) -> dict[str, float]:
    """TrackEval's figures; `spent` gains its seconds by part."""
    settings = {
        "GT_FOLDER": str(root / "gt"),
        "TRACKERS_FOLDER": str(root / "found"),
        "TRACKERS_TO_EVAL": ["it"],
        "SEQ_INFO": dict.fromkeys(NAMES, FRAMES),
        "SKIP_SPLIT_FOL": True,
        "DO_PREPROC": False,
        "PRINT_CONFIG": False,
    }
    with contextlib.redirect_stdout(io.StringIO()):
        data = MotChallenge2DBox(settings)
        ready = _timed(spent, "reading", lambda: [_prepared(data, name) for name in NAMES])
        found: dict[str, Any] = {}
        for metric in (HOTA(), CLEAR(), Identity()):
            each = _timed(
                spent,
                metric.get_name(),
                lambda metric=metric: {n: metric.eval_sequence(one) for n, one in zip(NAMES, ready, strict=True)},
            )
            found |= metric.combine_sequences(each)
    return {
        "hota": float(found["HOTA"].mean()),
        "deta": float(found["DetA"].mean()),
        "assa": float(found["AssA"].mean()),
        "idf1": float(found["IDF1"]),
        "mota": float(found["MOTA"]),
    }


def _prepared(data: Any, name: str) -> Any:
    return data.get_preprocessed_seq_data(data.get_raw_seq_data("it", name), "pedestrian")


def _timed(spent: dict[str, float], part: str, work: Callable[[], Any]) -> Any:
    start = time.perf_counter()
    result = work()
    spent[part] = time.perf_counter() - start
    return result


def ours(root: Path, spent: dict[str, float]) -> dict[str, float]:
    """The same figures by netversus."""
    read = _timed(spent, "reading", lambda: [(_truth(root, name), _found(root, name)) for name in NAMES])
    counts: list[Counts] = _timed(spent, "judging", lambda: [judge(*each) for each in read])
    return {name: float(score(name, counts, np.ones(len(counts)))) for name in ("hota", "deta", "assa", "idf1", "mota")}


def _truth(root: Path, name: str) -> Truth:
    path = root / "gt" / name / "gt" / "gt.txt"
    rows = rows_of(path.read_bytes(), str(path), length=FRAMES, columns=range(9, 10), least_id=1)
    order = np.argsort(rows.frames, kind="stable")
    tracks = Tracks(rows.frames[order], rows.ids[order], rows.corners[order], np.ones(len(rows)))
    return Truth(name, FRAMES, tracks, np.full(len(rows), COUNTED, dtype=np.int64))


def _found(root: Path, name: str) -> Tracks:
    path = _result(root, name)
    return tracks_of(path.read_bytes(), str(path), FRAMES)


def main() -> None:
    """Measure both in turns and keep what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    theirs_spent: list[dict[str, float]] = []
    ours_spent: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        boxes = write_world(root, np.random.default_rng(0))
        for _ in range(repeats):
            theirs_spent.append({})
            ours_spent.append({})
            theirs, mine = peer(root, theirs_spent[-1]), ours(root, ours_spent[-1])
    whole_theirs, whole_ours = ([sum(one.values()) for one in spent] for spent in (theirs_spent, ours_spent))
    scoring = min(one["HOTA"] + one["CLEAR"] + one["Identity"] for one in theirs_spent)
    judging = min(one["judging"] for one in ours_spent)
    difference = max(abs(theirs[name] - mine[name]) for name in theirs)
    ratio = min(whole_theirs) / min(whole_ours)
    hota_alone = min(one["HOTA"] for one in theirs_spent) / judging
    record(
        name="hota",
        peer=f"TrackEval {version('trackeval')}",
        ratio=ratio,
        ratio_is="the peer's seconds / ours, from files to HOTA, CLEAR MOT and Identity; fastest repetitions",
        better="higher",
        goal=f"HOTA at least {GOAL:g} times faster than TrackEval on the same files, the same numbers",
        met=ratio >= GOAL and hota_alone >= GOAL and difference < 1e-9,
        measured={
            "ratio without reading the files (the peer's includes no overlaps, ours does)": scoring / judging,
            "ratio of the peer's HOTA alone to our HOTA, CLEAR MOT and Identity": hota_alone,
            "largest difference of a score": difference,
            "scores": mine,
            "sequences": SEQUENCES,
            "pictures a sequence": FRAMES,
            "boxes in the files": boxes,
            "peer's seconds": theirs_spent,
            "our seconds": ours_spent,
        },
    )


if __name__ == "__main__":
    main()
