"""What is measured once beside the timing blocks: where the time goes, memory, energy."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from netversus.lab.timing.energy import Meter, find_meters, joules
from netversus.lab.timing.memory import peak_bytes
from netversus.lab.timing.stages import stage_seconds
from netversus.lab.timing.stopwatch import undisturbed
from netversus.lab.timing.turns import turns
from netversus.records import Observations
from netversus.studies.speed import REST, STAGE_PASSES
from netversus.studies.speed.rig import Contender, Point, Rig

SPELLS = 3  # of energy, each long enough for meters that are read ten times a second
SPELL_SECONDS = 2.0


def stages(rig: Rig) -> Iterator[Observations]:
    """The median seconds of each top-level part of each network, one image at a time; contenders take turns."""
    passes: dict[str, list[dict[str, float]]] = {contender.name: [] for contender in rig.contenders}
    with undisturbed():
        for number in range(STAGE_PASSES):
            for contender in turns(rig.contenders, number)[: len(rig.contenders)]:
                images = rig.images(contender, Point(1))
                passes[contender.name].append(stage_seconds(contender.model, images, rig.watch, REST))
    for name, seen in passes.items():
        parts = [part for part in seen[0] if all(part in one for one in seen)]
        if parts:
            units = tuple(f"{place + 1:02d} {part}" for place, part in enumerate(parts))
            yield Observations(name, "stage_seconds", units, tuple(median(one[p] for one in seen) for p in parts))


def memory(rig: Rig) -> Iterator[Observations]:
    """Bytes of the weights and of a pass at the judged batch, where the contender's memory is torch's."""
    for contender in rig.contenders:
        found = peak_bytes(contender.model, rig.images(contender, Point(rig.batch)))
        if found is not None:
            yield Observations(contender.name, "memory", ("batch",), (float(found),))


def energy(rig: Rig, meters: tuple[Meter, ...] | None = None) -> tuple[list[Observations], tuple[str, ...]]:
    """Joules an image at the judged batch, a value a spell, and the meters' names; neither where there is no meter.

    The meters count what the whole chip draws, idle power and other people's work included.
    """
    meters = find_meters(rig.watch.device) if meters is None else meters
    if not meters:
        return [], ()
    seen: dict[str, list[float]] = {contender.name: [] for contender in rig.contenders}
    with undisturbed():
        for number in range(SPELLS):
            for contender in turns(rig.contenders, number)[: len(rig.contenders)]:
                seen[contender.name].append(_joules_an_image(rig, contender, meters))
    units = tuple(f"spell-{number + 1}" for number in range(SPELLS))
    return [Observations(name, "energy", units, tuple(v)) for name, v in seen.items()], tuple(m.name for m in meters)


def _joules_an_image(rig: Rig, contender: Contender, meters: tuple[Meter, ...]) -> float:
    images = 0

    def work() -> None:
        nonlocal images
        spent = 0.0
        while spent < SPELL_SECONDS:
            spent += rig.call(contender, Point(rig.batch))
            images += rig.batch

    return joules(meters, work) / images
