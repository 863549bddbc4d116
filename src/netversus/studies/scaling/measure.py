"""Time everything in blocks, measure the machine's roof, show the test images at each resolution."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cache

import torch

from netversus.lab.bench import Bench
from netversus.lab.devices import out_of_memory
from netversus.lab.engines import get_engine
from netversus.lab.timing.busy import others_busy
from netversus.lab.timing.kept import Kept
from netversus.lab.timing.stopwatch import Stopwatch
from netversus.messages import noted
from netversus.provenance import usable_cores
from netversus.records import Artifact, ContenderCard, Emission, Progress
from netversus.studies.scaling import NOTES
from netversus.studies.scaling.counting import count
from netversus.studies.scaling.crew import Crew
from netversus.studies.scaling.grid import Point, Setup, doubled, setups
from netversus.studies.scaling.machine import measure_machine
from netversus.studies.scaling.observed import growths, observe
from netversus.studies.scaling.quality import Shown, resized, steps, top1
from netversus.studies.scaling.rig import Network, Rig, Subject
from netversus.studies.scaling.step import Step
from netversus.studies.scaling.worker import Hired

TRIAL, ROOFLINE = "trial", "roofline"
OTHER_RUNTIMES = ("onnx", "openvino", "tensorrt")
"""Engines whose threads are not torch's."""


@dataclass(frozen=True)
class _Contender:
    """A card and its network at each side, loaded when it is first asked for."""

    card: ContenderCard
    at: Callable[[int], Network]


def measure(bench: Bench) -> Iterator[Emission]:
    """The timing blocks, the roof, top-1 at each resolution; at last what is no contender's."""
    kept = Kept(bench.scratch(bench.contenders[0].name), Step)
    contenders = [_Contender(card, _loader(bench, card)) for card in bench.contenders]
    names = _names(bench)
    total = len(names) + steps(bench)
    done: dict[str, Step] = {}
    for name, step in _steps(bench, kept, contenders, names):
        done[name] = step
        yield from step.observations
        yield Progress(len(done), total, noted("steps"))
    yield from growths(observation for step in done.values() for observation in step.observations)
    left_out = _left_out(done.values())
    for emission in top1(bench, [_shown(bench, each, left_out) for each in contenders]):
        if isinstance(emission, Progress):
            yield Progress(len(done) + emission.done, total, noted("steps"))
        else:
            yield emission
    yield Artifact(NOTES, _notes(bench, contenders, done))


def _names(bench: Bench) -> list[str]:
    blocks = [f"block-{number:03d}" for number in range(bench.options.blocks)]
    return [TRIAL, *blocks, *([ROOFLINE] if bench.options.roofline else [])]


def _loader(bench: Bench, card: ContenderCard) -> Callable[[int], Network]:
    """The contender's network at a side. An engine is made for one size, so there it is made anew; its own size goes
    first, for there "auto" chooses."""
    own = card.preprocessing.crop

    @cache
    def at(side: int) -> Network:
        if side == own:
            return bench.ready(card)
        first = at(own)
        return first if card.engine == "eager" else bench.ready(resized(card, side))

    return at


def _steps(
    bench: Bench, kept: Kept[Step], contenders: Sequence[_Contender], names: Sequence[str]
) -> Iterator[tuple[str, Step]]:
    """Every step once it is kept; what is kept already is not measured again, and then nothing is loaded."""
    found = {name: kept.get(name) for name in names}
    with closing(_crew(bench, contenders)) as crew:
        missing = {name for name, step in found.items() if step is None}
        if missing:
            rig = _rig(bench, contenders, _left_out(filter(None, found.values())), crew)
        if missing - {ROOFLINE}:
            found[TRIAL] = kept.put(TRIAL, _tried(rig, found[TRIAL]))
        for name in names:
            yield name, found[name] or kept.put(name, _measured(rig, name))


def _crew(bench: Bench, contenders: Sequence[_Contender]) -> Crew:
    """Processes that run the contenders; none is started before it is needed."""

    def hired() -> Hired:
        engines = [_engine(each) for each in contenders]
        return Hired(
            contenders=tuple(each.card for each in contenders),
            engines=tuple("eager" if engine == "onnx" or _calibrated(engine) else engine for engine in engines),
            classes=bench.classes,
            seed=bench.seed,
            weights=dict(bench.weights),
            at_once=bench.options.at_once,
        )

    return Crew(hired, bench.scratch(bench.contenders[0].name))


def _rig(bench: Bench, contenders: Sequence[_Contender], left_out: Iterable[Point], crew: Crew) -> Rig:
    devices = _devices(bench.device) if bench.options.workers else ()
    subjects = [Subject(each.card.name, each.at, _points(bench, each, devices)) for each in contenders]
    subjects += [_reference(bench, depth) for depth in bench.options.depths]
    return Rig(
        subjects,
        bench.options.repetitions,
        Stopwatch(bench.device),
        devices,
        set(left_out),
        run_in_processes=crew.run,
    )


def _devices(device: torch.device) -> tuple[torch.device, ...]:
    """All accelerators of the machine, the contenders' own first; none where there is only one."""
    if device.type != "cuda" or torch.cuda.device_count() < 2:
        return ()
    own = torch.device("cuda", torch.cuda.current_device() if device.index is None else device.index)
    return (own, *(torch.device("cuda", i) for i in range(torch.cuda.device_count()) if i != own.index))


def _points(bench: Bench, each: _Contender, devices: Sequence[torch.device]) -> Mapping[Point, Setup]:
    """The contender's points. Threads are counted where they are torch's, devices where the network can be copied."""
    crop = each.card.preprocessing.crop
    engine = _engine(each)
    threads: tuple[int, ...] = ()
    if bench.options.workers and bench.device.type == "cpu" and not engine.startswith(OTHER_RUNTIMES):
        threads = tuple(sorted(set(bench.options.threads))) or doubled(usable_cores())
    copied = doubled(len(devices)) if devices and engine == "eager" else ()
    processes = bench.options.processes if bench.device.type == "cpu" and not _calibrated(engine) else ()
    return setups(bench.options, crop, threads=threads, devices=copied, processes=sorted(set(processes)))


def _engine(each: _Contender) -> str:
    """The name of the engine that a contender runs on; "onnx" of a graph that ONNX Runtime runs."""
    return "onnx" if each.card.source == "onnx" else getattr(each.at(each.card.preprocessing.crop), "engine", "eager")


def _calibrated(engine: str) -> bool:
    """Whether an engine takes its ranges from images: a process of its own has none."""
    return engine not in ("onnx", "eager") and get_engine(engine).calibrated


def _reference(bench: Bench, depth: int) -> Subject:
    """A ResNet of a depth with random weights, in eager fp32, at the first contender's side."""
    first = bench.contenders[0]
    card = replace(
        first,
        name=f"resnet{depth} (reference)",
        spec=f"resnet{depth}@scratch",
        source="torchvision",
        architecture=f"resnet{depth}",
        weights="scratch",
        outputs=(),
        engine="eager",
    )
    at = cache(lambda _side: bench.ready(card))
    return Subject(card.name, at, {Point("depth", depth): Setup(bench.options.at_once, first.preprocessing.crop)})


def _tried(rig: Rig, before: Step | None) -> Step:
    """Warm up. What an interrupted cell left out stays left out. What it began with and does not go any more is left
    out of the blocks to come, and said: what follows from the blocks rests on the points that all of them hold."""
    busy = others_busy()
    rig.try_out()
    notes = (*(before.notes if before else ()), *rig.notes)
    return Step(notes=tuple(dict.fromkeys(notes)), left_out=_in_order(rig.left_out), busy=(busy,))


def _in_order(points: Iterable[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=str))


def _left_out(steps: Iterable[Step]) -> tuple[Point, ...]:
    """All that was left out, when a cell began and on its way."""
    return _in_order({point for step in steps for point in step.left_out})


def _measured(rig: Rig, name: str) -> Step:
    if name == ROOFLINE:
        return _roof(rig)
    number, noted_before = int(name.removeprefix("block-")), len(rig.notes)
    seconds = rig.block(number)
    depths = {
        int(point.size): seconds[subject.name][setup]
        for subject in rig.subjects
        for point, setup in subject.points.items()
        if point.axis == "depth" and point not in rig.left_out
    }
    seen = (
        observation
        for subject in rig.subjects
        if not any(point.axis == "depth" for point in subject.points)
        for observation in observe(subject.name, subject.points, seconds[subject.name], rig.left_out, number)
    )
    return Step(tuple(seen), depths, notes=tuple(rig.notes[noted_before:]), left_out=_in_order(rig.left_out))


def _roof(rig: Rig) -> Step:
    """The machine's peaks; absent where they do not fit in memory beside the contenders."""
    try:
        machine = measure_machine(rig.watch)
    except Exception as error:
        if not out_of_memory(error):
            raise
        return Step(notes=(noted("The machine's roofline was left out: it does not fit in memory."),))
    return Step(peaks=dict(machine.peaks), bandwidth=machine.bandwidth, busy=(others_busy(),))


def _shown(bench: Bench, each: _Contender, left_out: Sequence[Point]) -> Shown:
    points = setups(bench.options, each.card.preprocessing.crop)
    sides = tuple(s.side for point, s in points.items() if point.axis == "resolution" and point not in left_out)
    return Shown(each.card, sides, each.at)


def _notes(bench: Bench, contenders: Sequence[_Contender], done: Mapping[str, Step]) -> bytes:
    """What is no contender's, and what was counted, as JSON."""
    notes = list(dict.fromkeys(note for step in done.values() for note in step.notes))
    counted = {}
    for each in contenders:
        try:
            counted[each.card.name] = _counted(bench, each)
        except Exception as error:  # noqa: BLE001 (a network of the user's own may do anything)
            of = {"contender": each.card.name, "error": type(error).__name__}
            notes.append(noted("The operations of {contender} could not be counted ({error}).", **of))
    roof = done.get(ROOFLINE, Step())
    told = {
        "notes": notes,
        "busy": [share for step in done.values() for share in step.busy],
        "device": str(bench.device),
        "threads": torch.get_num_threads(),
        "at_once": bench.options.at_once,
        "peaks": roof.peaks,
        "bandwidth": roof.bandwidth,
        "counted": {name: each for name, each in counted.items() if each},
        "depths": _by_depth(bench, done),
        "reference_side": bench.contenders[0].preprocessing.crop,
    }
    return json.dumps(told, indent=1).encode()


def _counted(bench: Bench, each: _Contender) -> Mapping[str, int] | None:
    """What one image asks of the machine; None for a graph of another runtime."""
    if each.card.source == "onnx":
        return None
    side = each.card.preprocessing.crop
    return asdict(count(bench.model(each.card), torch.zeros(1, 3, side, side, device=bench.device)))


def _by_depth(bench: Bench, done: Mapping[str, Step]) -> Mapping[int, Sequence[float]]:
    """Seconds an image of each reference ResNet in each block, for those that every block holds."""
    blocks = [step for name, step in done.items() if name.startswith("block-")]
    depths = sorted(set(bench.options.depths))
    return {d: [step.depths[d] for step in blocks] for d in depths if all(d in step.depths for step in blocks)}
