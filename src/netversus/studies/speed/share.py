"""The part of the study that one process measures, step by step; what is kept already is not measured again."""

from __future__ import annotations

from collections.abc import Iterator

from netversus.lab.bench import Bench
from netversus.lab.timing.busy import Others, others_busy
from netversus.lab.timing.kept import Kept
from netversus.lab.timing.stopwatch import Stopwatch
from netversus.studies.speed import SpeedOptions
from netversus.studies.speed.extras import energy, memory, stages
from netversus.studies.speed.rig import Rig
from netversus.studies.speed.step import Step
from netversus.studies.speed.way import way


def blocks_of_process(options: SpeedOptions, process: int) -> range:
    """The timing blocks of a process: consecutive ones, shared out evenly."""
    start, stop = (options.blocks * k // options.processes for k in (process, process + 1))
    return range(start, stop)


def names(options: SpeedOptions, process: int) -> list[str]:
    """The steps of a process in order. The first process also measures what is measured once."""
    prefix = f"p{process}"
    blocks = [f"{prefix}-block-{number:03d}" for number in blocks_of_process(options, process)]
    once = [f"{prefix}-extras", f"{prefix}-way"] if process == 0 else []
    return [f"{prefix}-warmup", *blocks, *once] if blocks else []


def run(bench: Bench, kept: Kept[Step], process: int) -> Iterator[str]:
    """Measure what is not kept yet; the names of the steps, each once it is kept."""
    wanted = names(bench.options, process)
    missing = [name for name in wanted if kept.get(name) is None]
    if not missing:
        yield from wanted
        return
    busy = others_busy()
    rig = Rig.of(bench, f"p{process}", Stopwatch(bench.device))
    warmup = Step(tuple(rig.warm_up()), tuple(rig.notes), (busy,))
    others = Others()
    for name in wanted:
        if name in missing:
            kept.put(name, warmup if name.endswith("-warmup") else _measured(bench, rig, others, name))
        yield name


def _measured(bench: Bench, rig: Rig, others: Others, name: str) -> Step:
    said = len(rig.notes)
    kind, _, number = name.removeprefix(f"{rig.process}-").partition("-")
    if kind == "block":
        seen = tuple(rig.block(int(number)))
        return Step(seen, tuple(rig.notes[said:]), others.heard())
    if kind == "way":
        found = way(bench, rig)
        return Step(notes=tuple(rig.notes[said:]), way=found)
    spent, meters = energy(rig)
    parts = stages(rig) if rig.options.stages else ()
    return Step((*parts, *memory(rig), *spent), busy=(others_busy(),), meters=meters)
