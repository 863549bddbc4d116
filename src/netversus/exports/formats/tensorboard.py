"""TensorBoard event files: the curves that were measured while training, and each finding as a scalar.

    CONTENDER/seed-N/      curves, over training images shown or rounds: <study>/<metric>
    CONTENDER/             its level on every question: <study>/<metric>
    B-against-A/           differences with their intervals: <study>/<metric>/estimate, .../low, .../high

The step of a curve is the number in its unit's name ("samples-000001984"). A series over anything else (images,
classes, timing blocks) is no curve; it is in the CSV and Parquet exports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from io import BytesIO
from math import isfinite
from typing import Final

from netversus.exports.format import Files, Format, Source
from netversus.statistics.pairing import Sample
from netversus.store import safe_name

Point = tuple[str, int, float]
"""Tag, step, value."""

_STEP: Final = re.compile(r"(samples|steps?|rounds?|epochs?)-(\d+)")
_FILE: Final = "events.out.tfevents.0.netversus"


def _files(source: Source) -> Files:
    when = datetime.fromisoformat(source.view.created)
    moment = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    for folder, points in _points(source).items():
        yield f"{folder}/{_FILE}", _events(points, moment)


def _points(source: Source) -> Mapping[str, Sequence[Point]]:
    """What each folder holds."""
    found: dict[str, list[Point]] = {}
    names = {card.name for card in source.contenders}
    for cell in source.plan.cells:
        for (contender, metric), sample in source.store.cell(cell).observations().items():
            if contender in names:
                curve = [(f"{cell.study}/{metric}", step, value) for step, value in _curve(sample)]
                found.setdefault(f"{safe_name(contender)}/seed-{cell.seed}", []).extend(curve)
    for folder, point in _scalars(source, names):
        found.setdefault(folder, []).append(point)
    return {folder: points for folder, points in found.items() if points}


def _curve(sample: Sample) -> list[tuple[int, float]]:
    """Step and value in ascending order, where every unit is a step; else nothing."""
    steps = [_STEP.fullmatch(unit) for unit in sample.units]
    if not all(steps):
        return []
    return sorted((int(step[2]), value) for step, value in zip(steps, sample.values.tolist(), strict=True) if step)


def _scalars(source: Source, names: set[str]) -> Iterator[tuple[str, Point]]:
    seen = set()
    for finding in (f for f in source.view.findings if not f.slice):
        tag = f"{finding.study}/{finding.metric}"
        for name, value in ((finding.a, finding.value_a), (finding.b, finding.value_b)):
            if value is not None and isfinite(value) and name in names and (name, tag) not in seen:
                seen.add((name, tag))
                yield safe_name(name), (tag, 0, value)
        if finding.effect is not None and {finding.a, finding.b} <= names:
            folder = safe_name(f"{finding.b}-against-{finding.a}")
            for part in ("estimate", "low", "high"):
                yield folder, (f"{tag}/{part}", 0, getattr(finding.effect, part))


def _events(points: Sequence[Point], moment: float) -> bytes:
    """An event file. All events carry the time at which the run was made: the same run gives the same file."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    sink = BytesIO()
    writer = RecordWriter(sink)
    writer.write(Event(wall_time=moment, file_version="brain.Event:2").SerializeToString())
    for tag, step, value in points:
        summary = Summary(value=[Summary.Value(tag=tag, simple_value=value)])
        writer.write(Event(wall_time=moment, step=step, summary=summary).SerializeToString())
    return sink.getvalue()


FORMAT = Format(
    "tensorboard",
    "learning curves and scalars as TensorBoard event files; a folder",
    _files,
    by_contender=True,
    extra=("tensorboard", "tensorboard"),
)
