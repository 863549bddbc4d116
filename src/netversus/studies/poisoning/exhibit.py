"""What the report shows: the answer in words, success against the share of poison, the defences, the triggers."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from netversus.exhibits import Chart, Exhibit, Gallery, Picture, Series, Table, Text
from netversus.lab.shortage import shortage_shown
from netversus.messages import say, sentences, template
from netversus.records import ContenderCard
from netversus.studies.poisoning.design import BACKDOOR, CLEAN, DEFENCES, NOISE, ORIGINAL, triggered_file
from netversus.study import Evidence

_ENLARGED = 64  # pixels: smaller pictures are shown with each pixel as a square
_NAMES: Mapping[str, str] = {
    "badnets": template("patch (BadNets)"),
    "blended": template("blended pattern"),
    "warped": template("smooth warp"),
    "clean-label": template("patch under right labels"),
    "symmetric": template("any other class"),
    "asymmetric": template("the next class"),
    "spectral": template("spectral signatures"),
    "clusters": template("activation clustering"),
    "strip": template("STRIP"),
    "cleanse": template("Neural Cleanse"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """Means over the images of one training of one contender, in [0, 1], one a seed. `success` by attack; `anyway`: as
    often is the attacker's class the answer without a trigger."""

    top1: tuple[float, ...]
    success: Mapping[str, tuple[float, ...]]
    anyway: tuple[float, ...]


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """The answer, the triggers, each attack's chart, the tables."""
    seen = {card.name: _seen(evidence, card.name) for card in evidence.contenders}
    seen = {name: trainings for name, trainings in seen.items() if "clean" in trainings}
    if not seen:
        return
    yield Text(_answer(seen))
    yield from _triggers(evidence)
    yield from _charts(seen)
    yield _table(seen)
    yield from _noise(seen)
    yield from _defences(evidence)
    yield from shortage_shown(evidence)


def _seen(evidence: Evidence, contender: str) -> dict[str, Seen]:
    """By the name of the training, in the order of the design."""
    top1: dict[str, list[float]] = {}
    anyway: dict[str, list[float]] = {}
    success: dict[str, dict[str, list[float]]] = {}
    for seed in evidence.seeds:
        for training, mean in _means(evidence, contender, "top1_by_training", seed).items():
            top1.setdefault(training, []).append(mean)
        for training, mean in _means(evidence, contender, "target_without_trigger", seed).items():
            anyway.setdefault(training, []).append(mean)
        for name, mean in _means(evidence, contender, "success_by_training", seed).items():
            training, _, attack = name.partition(", ")
            success.setdefault(training, {}).setdefault(attack, []).append(mean)
    return {
        training: Seen(
            top1=tuple(means),
            success={attack: tuple(each) for attack, each in success.get(training, {}).items()},
            anyway=tuple(anyway.get(training, ())),
        )
        for training, means in top1.items()
        if training in anyway
    }


def _means(evidence: Evidence, contender: str, metric: str, seed: int) -> dict[str, float]:
    """The mean over the images, by what stands before the image in a unit id."""
    sample = evidence.series(contender, metric, seed)
    groups: dict[str, list[float]] = {}
    for unit, value in zip(sample.units, sample.values.tolist(), strict=True) if sample is not None else ():
        groups.setdefault(unit.partition(": ")[0], []).append(value)
    return {name: float(np.mean(values)) for name, values in groups.items()}


def _parts(training: str) -> tuple[str, float]:
    """The attack, or the kind of noise, and its share; the clean training has neither."""
    what, _, rate = training.rpartition("-")
    return (what, float(rate)) if what in _NAMES else (CLEAN, 0.0)


def _kind(training: str, seen: Seen) -> str:
    if training == CLEAN:
        return CLEAN
    return BACKDOOR if seen.success else NOISE


def _answer(seen: Mapping[str, Mapping[str, Seen]]) -> str:
    """What the worst attack did to each contender, within the threat that was tried."""
    lines = []
    for contender, trainings in seen.items():
        backdoors = {t: s for t, s in trainings.items() if _kind(t, s) == BACKDOOR}
        if backdoors:
            worst = max(backdoors, key=lambda t: np.mean(backdoors[t].success[_parts(t)[0]]))
            attack, rate = _parts(worst)
            lines.append(
                say(
                    "{contender}: the strongest attack ({attack}, {rate} % of the train images) leads {success} % of "
                    "the images with the trigger to the attacker's class.",
                    contender=contender,
                    attack=say(_NAMES[attack]),
                    rate=f"{100 * rate:g}",
                    success=f"{100 * np.mean(backdoors[worst].success[attack]):.1f}",
                )
            )
    threat = say(
        "The attacker that was tried can change a share of the training images, and nothing else: not the training, "
        "not the weights. Each training here is short and from scratch; images of the attacker's own class do not "
        "count."
    )
    return sentences(*lines, threat)


def _triggers(evidence: Evidence) -> Iterator[Gallery]:
    """The same test images without and with each trigger, as the first contender sees them."""
    pictures = []
    for card in evidence.contenders[:1]:
        files = {say("as they are"): ORIGINAL}
        files |= {say(_NAMES[name]): triggered_file(name) for name in _NAMES}
        for caption, file in files.items():
            content = evidence.artifact(file, card.name)
            if content:
                pictures.append(_picture(content, caption))
    if pictures:
        yield Gallery(
            title=say("What the attacks do to an image"),
            pictures=tuple(pictures),
            note=say("Test images as the first contender sees them. Under right labels, the patch is the same."),
        )


def _picture(content: bytes, caption: str) -> Picture:
    with Image.open(io.BytesIO(content)) as strip:
        times = max(1, round(_ENLARGED / strip.height))
        shown = strip.resize((strip.width * times, strip.height * times), Image.Resampling.NEAREST)
    file = io.BytesIO()
    shown.save(file, format="PNG", optimize=True)
    alt = say("Some test images side by side: {what}", what=caption)
    return Picture(content=file.getvalue(), alt=alt, width=shown.width, height=shown.height, caption=caption)


def _charts(seen: Mapping[str, Mapping[str, Seen]]) -> Iterator[Chart]:
    """Success by the share of poison, one chart an attack; at 0 % what the trigger does without any poison."""
    attacks = dict.fromkeys(_parts(t)[0] for trainings in seen.values() for t, s in trainings.items() if s.success)
    for attack in (each for each in attacks if each != CLEAN):
        lines = tuple(_line(contender, trainings, attack) for contender, trainings in seen.items())
        yield Chart(
            title=say("Attack success: {attack}", attack=say(_NAMES[attack])),
            kind="line",
            x_label=say("train images poisoned (%)"),
            y_label=say("attack success (%)"),
            series=lines,
            description=say(
                "The share of test images of other classes that the trigger leads to the attacker's class, by the "
                "share of the train images that were poisoned. At 0: the trigger on a network that learned no poison."
            ),
            y_from_zero=True,
        )


def _line(contender: str, trainings: Mapping[str, Seen], attack: str) -> Series:
    """The mean over the seeds, from the lowest to the highest seed."""
    points = sorted(
        (_parts(training)[1], each.success[attack]) for training, each in trainings.items() if attack in each.success
    )
    several = len(points[0][1]) > 1 if points else False
    return Series(
        name=contender,
        x=tuple(100 * rate for rate, _ in points),
        y=tuple(100 * float(np.mean(seeds)) for _, seeds in points),
        low=tuple(100 * min(seeds) for _, seeds in points) if several else (),
        high=tuple(100 * max(seeds) for _, seeds in points) if several else (),
    )


def _table(seen: Mapping[str, Mapping[str, Seen]]) -> Table:
    rows: list[tuple[str | float | None, ...]] = []
    for contender, trainings in seen.items():
        clean = float(np.mean(trainings["clean"].top1))
        anyway = 100 * float(np.mean(trainings["clean"].anyway))
        rows.append((contender, say("none"), 0.0, None, anyway, 100 * clean, None))
        for training, each in trainings.items():
            attack, rate = _parts(training)
            if _kind(training, each) == BACKDOOR:
                top1 = float(np.mean(each.top1))
                success = 100 * float(np.mean(each.success[attack]))
                anyway = 100 * float(np.mean(each.anyway))
                shares = (100 * rate, success, anyway, 100 * top1, 100 * (top1 - clean))
                rows.append((contender, say(_NAMES[attack]), *shares))
    return Table(
        title=say("Backdoors: what the trigger does, and what the poison costs without it"),
        columns=(
            say("contender"),
            say("attack"),
            say("poisoned (%)"),
            say("attack success (%)"),
            say("the same class without the trigger (%)"),
            say("top-1 on clean images (%)"),
            say("change (points)"),
        ),
        rows=tuple(rows),
        formats=("", "", "g", ".1f", ".1f", ".1f", "+.1f"),
        note=say(
            "Means over the seeds. A backdoor that costs no accuracy cannot be noticed by testing on clean images."
        ),
    )


def _noise(seen: Mapping[str, Mapping[str, Seen]]) -> Iterator[Table]:
    rows: list[tuple[str | float, ...]] = []
    for contender, trainings in seen.items():
        clean = float(np.mean(trainings["clean"].top1))
        for training, each in trainings.items():
            kind, rate = _parts(training)
            if _kind(training, each) == NOISE:
                top1 = float(np.mean(each.top1))
                rows.append((contender, say(_NAMES[kind]), 100 * rate, 100 * top1, 100 * (top1 - clean)))
    if rows:
        yield Table(
            title=say("Wrong labels: what is left of the accuracy"),
            columns=(
                say("contender"),
                say("the wrong label is"),
                say("wrong (%)"),
                say("top-1 on clean images (%)"),
                say("change (points)"),
            ),
            rows=tuple(rows),
            formats=("", "", "g", ".1f", "+.1f"),
            note=say("Means over the seeds; the change is against the same training on right labels."),
        )


def _defences(evidence: Evidence) -> Iterator[Exhibit]:
    """For each defence and contender: found of the poison, accused of what is clean, with poison and without."""
    rows = [row for card in evidence.contenders for row in _guard_rows(evidence, card)]
    if not rows:
        return
    yield Table(
        title=say("Defences: what they find, and whom they accuse wrongly"),
        columns=(
            say("contender"),
            say("defence"),
            say("it judges"),
            say("found of the poison (%)"),
            say("falsely accused beside poison (%)"),
            say("falsely accused in clean data (%)"),
        ),
        rows=tuple(rows),
        formats=("", "", "", ".1f", ".1f", ".1f"),
        note=say("Means over the attacks, their shares and the seeds; empty: not asked, or not able to judge."),
    )
    yield Text(
        say(
            "What a defence finds is worth little beside many false alarms: with one poisoned image in a hundred, a "
            "defence that accuses 5 % of the clean images accuses five innocent ones for each guilty one."
        )
    )


def _guard_rows(evidence: Evidence, card: ContenderCard) -> Iterator[tuple[str | float | None, ...]]:
    found = _guarded(evidence, card.name, "found")
    accused = _guarded(evidence, card.name, "falsely_accused")
    judges = {"strip": say("incoming pictures"), "cleanse": say("classes")}
    for defence in DEFENCES:
        clean = accused.get((defence, CLEAN))
        beside = [each for (name, training), each in accused.items() if name == defence and training != CLEAN]
        of_poison = [each for (name, _), each in found.items() if name == defence]
        if clean is not None or beside:
            yield (
                card.name,
                say(_NAMES[defence]),
                judges.get(defence, say("train images")),
                _percent(of_poison),
                _percent(beside),
                None if clean is None else 100 * clean,
            )


def _guarded(evidence: Evidence, contender: str, metric: str) -> dict[tuple[str, str], float]:
    """(defence, training) -> the mean over the seeds."""
    values: dict[tuple[str, str], list[float]] = {}
    for seed in evidence.seeds:
        sample = evidence.series(contender, metric, seed)
        for unit, value in zip(sample.units, sample.values.tolist(), strict=True) if sample is not None else ():
            defence, _, training = unit.partition(", ")
            values.setdefault((defence, training), []).append(value)
    return {key: float(np.mean(each)) for key, each in values.items()}


def _percent(values: Sequence[float]) -> float | None:
    return 100 * float(np.mean(values)) if values else None
