"""What the attacks left of each contender, over eps and attack by attack; who misleads whom; what to make of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from netversus.exhibits import Chart, Exhibit, Series, Table, Text
from netversus.lab.left_out import left_out_shown
from netversus.lab.shortage import shortage_shown
from netversus.messages import say
from netversus.records import ContenderCard
from netversus.statistics.pairing import Sample
from netversus.statistics.proportions import clopper_pearson
from netversus.studies.adversarial import protocol as names
from netversus.studies.adversarial.album import gallery
from netversus.studies.adversarial.doubts import doubts
from netversus.studies.adversarial.protocol import Protocol, loaded, norm_text
from netversus.study import Evidence

_LEVEL = 0.95
_HALF = 0.5


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Tables, charts and pictures of one adversarial study."""
    under = [(card, settings) for card in evidence.contenders if (settings := _protocol(evidence, card)) is not None]
    if not under:
        return
    yield Text(_threat_model([settings for _, settings in under]))
    yield from _levels(evidence, under)
    yield from _over_eps(evidence, under)
    yield from _attacks(evidence, under)
    yield from _transfer(evidence, under)
    yield from _certified(evidence, under)
    yield from doubts(evidence, under)
    yield from gallery(evidence, [card for card, _ in under])
    yield from shortage_shown(evidence)
    yield from left_out_shown(evidence)


def _protocol(evidence: Evidence, card: ContenderCard) -> Protocol | None:
    return loaded(evidence.artifact(names.PROTOCOL, card.name))


def _threat_model(settings: Sequence[Protocol]) -> str:
    """Whom this is about: said before any number."""
    one = settings[0]
    eps = ", ".join(dict.fromkeys(f"{each.eps:g}/255" for each in settings))
    return say(
        "The attacker knows the whole network and changes the pixels that it sees, after resizing and cropping, by at "
        "most {eps} in {norm}. Nothing here speaks of larger or other changes, of printed patches, of poisoned "
        "training data or of a network's file.",
        eps=eps,
        norm=norm_text(one.norm),
    )


def _levels(evidence: Evidence, under: Sequence[tuple[ContenderCard, Protocol]]) -> Iterator[Table]:
    rows: list[tuple[str | float | None, ...]] = []
    for card, settings in under:
        clean, worst = evidence.series(card.name, "clean_top1"), evidence.series(card.name, "robust_top1")
        if clean is None or worst is None:
            continue
        low, high = _interval(worst)
        median, beyond = _median(evidence.series(card.name, "smallest_eps"), clean, settings.distances[-1])
        rows.append(
            (
                card.name,
                len(worst.units),
                100 * float(clean.values.mean()),
                f"{settings.eps:g}/255",
                100 * float(worst.values.mean()),
                f"[{100 * low:.1f}, {100 * high:.1f}]",
                median,
                beyond,
            )
        )
    if rows:
        yield Table(
            title=say("Right answers under attack, the worst case over all attacks ({norm})", norm=_norm(under)),
            columns=(
                *(say("contender"), say("images"), say("as they are (%)"), say("eps")),
                *(say("under attack (%)"), say("95 % interval"), say("median smallest eps (/255)")),
                say("none found"),
            ),
            rows=tuple(rows),
            formats=("", ",d", ".1f", "", ".1f", "", "", ",d"),
            note=say(
                "Clopper-Pearson interval. The smallest eps is of the images that are right as they are, from above: a "
                "better attack may find a smaller one. None found: within the largest eps that was tried."
            ),
        )


def _norm(under: Sequence[tuple[ContenderCard, Protocol]]) -> str:
    return norm_text(under[0][1].norm)


def _median(smallest: Sample | None, clean: Sample, most: float) -> tuple[str, int]:
    """The median over the images that are right as they are, and for how many of them nothing was found."""
    if smallest is None:
        return "–", 0
    right = {unit for unit, value in zip(clean.units, clean.values, strict=True) if value > _HALF}
    found = [float(value) for unit, value in zip(smallest.units, smallest.values, strict=True) if unit in right]
    if not found:
        return "–", 0
    middle = float(np.median(found))
    beyond = sum(value >= most for value in found)
    return (say("over {eps}", eps=f"{most:g}") if middle >= most else f"{middle:.3g}"), beyond


def _interval(sample: Sample) -> tuple[float, float]:
    """Clopper-Pearson."""
    found = clopper_pearson(int(sample.values.sum()), len(sample.values), _LEVEL)
    return found.low, found.high


def _over_eps(evidence: Evidence, under: Sequence[tuple[ContenderCard, Protocol]]) -> Iterator[Chart]:
    lines = []
    for card, settings in under:
        metrics = ["clean_top1", *(names.right_at(eps) for eps in settings.distances)]
        samples = [evidence.series(card.name, metric) for metric in metrics]
        seen = [(x, s) for x, s in zip((0.0, *settings.distances), samples, strict=True) if s is not None]
        if len(seen) < 2:
            continue
        ends = [_interval(sample) for _, sample in seen]
        lines.append(
            Series(
                name=card.name,
                x=tuple(x for x, _ in seen),
                y=tuple(100 * float(sample.values.mean()) for _, sample in seen),
                low=tuple(100 * low for low, _ in ends),
                high=tuple(100 * high for _, high in ends),
            )
        )
    if lines:
        yield Chart(
            title=say("Right answers by the size of the change ({norm})", norm=_norm(under)),
            kind="line",
            x_label=say("eps, in 255ths of the pixel range"),
            y_label=say("still right (%)"),
            series=tuple(lines),
            description=say(
                "Share of images that no attack turned, against eps; at 0 the images as they are. 95 % intervals."
            ),
            y_from_zero=True,
        )


def _attacks(evidence: Evidence, under: Sequence[tuple[ContenderCard, Protocol]]) -> Iterator[Table]:
    """What is left after each attack and those before it."""
    for eps in dict.fromkeys(settings.eps for _, settings in under):
        same = [(card, settings) for card, settings in under if settings.eps == eps]
        attacks = same[0][1].attacks
        rows: list[tuple[str | float, ...]] = []
        for card, _ in same:
            left = [evidence.series(card.name, names.right_after(attack)) for attack in attacks]
            if all(each is not None for each in left):
                shares = [100 * float(each.values.mean()) for each in left if each is not None]
                rows.append((card.name, *shares))
        if rows:
            settings = same[0][1]
            yield Table(
                title=say(
                    "Attack by attack at {eps}/255 in {norm}: still right (%)", eps=f"{eps:g}", norm=_norm(under)
                ),
                columns=(say("contender"), *(attack.upper() for attack in attacks)),
                rows=tuple(rows),
                formats=("", *(".1f" for _ in attacks)),
                note=say(
                    "Each attack on what smaller eps and the attacks before it left. {steps} steps, {targets} wrong "
                    "classes, {queries} queries. Every success was recomputed in float32, within eps and [0, 1].",
                    steps=settings.steps,
                    targets=settings.targets,
                    queries=f"{settings.queries:,}",
                ),
            )


def _transfer(evidence: Evidence, under: Sequence[tuple[ContenderCard, Protocol]]) -> Iterator[Exhibit]:
    """Rows: on whom the change was made; columns: to whom it was shown."""
    cards = [card for card, _ in under]
    rows = []
    for source in cards:
        shares = [_misled(evidence, source.name, target.name) for target in cards]
        if any(share is not None for share in shares):
            rows.append((source.name, *shares))
    if rows:
        yield Table(
            title=say("Who misleads whom: right answers lost to changes made on another contender (%)"),
            columns=(say("made on"), *(card.name for card in cards)),
            rows=tuple(rows),
            formats=("", *(".1f" for _ in cards)),
            note=say(
                "Of the images that a contender gets right as they are, within the same eps. A row of high numbers is "
                "the better weapon, a column with low numbers the harder target."
            ),
        )
    elif len(cards) > 1:
        yield Text(
            say(
                "No transfer: the contenders see images of different sizes, so that a change made on one is none "
                "within eps to the other."
            )
        )


def _misled(evidence: Evidence, source: str, target: str) -> float | None:
    clean, under = evidence.series(target, "clean_top1"), evidence.series(target, names.UNDER)
    if clean is None or under is None:
        return None
    right = {unit for unit, value in zip(clean.units, clean.values, strict=True) if value > _HALF}
    after = dict(zip(under.units, under.values, strict=True))
    seen = [after[key] for unit in right if (key := names.under(unit, source)) in after]
    return 100 * (1 - float(np.mean(seen))) if seen else None


def _certified(evidence: Evidence, under: Sequence[tuple[ContenderCard, Protocol]]) -> Iterator[Table]:
    rows: list[tuple[str | float, ...]] = []
    for card, settings in under:
        radius = evidence.series(card.name, "certified_radius")
        right, unsure = evidence.series(card.name, names.SMOOTHED), evidence.series(card.name, names.ABSTAINED)
        if radius is None or right is None or unsure is None or not len(radius.values):
            continue
        values = radius.values
        rows.append(
            (
                card.name,
                len(values),
                settings.sigma,
                100 * float(right.values.mean()),
                100 * float(unsure.values.mean()),
                float(np.median(values)),
                100 * float((values >= settings.sigma / 2).mean()),
                100 * float((values >= settings.sigma).mean()),
            )
        )
    if rows:
        yield Table(
            title=say("What is certain of the smoothed contenders (l2)"),
            columns=(
                *(say("contender"), say("images"), say("sigma"), say("right (%)"), say("abstained (%)")),
                *(say("median radius"), say("certain within sigma / 2 (%)"), say("within sigma (%)")),
            ),
            rows=tuple(rows),
            formats=("", ",d", "g", ".1f", ".1f", ".3g", ".1f", ".1f"),
            note=say(
                "Randomized smoothing: the answer given most often under Gaussian noise, by {copies} noisy copies an "
                "image. A radius is wrong at most once in a thousand times; it is of the smoothed contender, which is "
                "slower, not of the contender itself. No attack is needed for it, and none can refute it.",
                copies=f"{under[0][1].copies:,}",
            ),
        )
