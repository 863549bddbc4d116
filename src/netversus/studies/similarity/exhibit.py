"""What the report shows: how alike the stages are, the answers and mistakes, what both together would gain, where each
looks, and which blocks matter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from netversus.exhibits import Chart, Exhibit, Gallery, Heatmap, Picture, Scalar, Series, Table, Text
from netversus.lab.shortage import shortage_shown
from netversus.messages import say, told
from netversus.records import ContenderCard, Effect
from netversus.statistics.proportions import mcnemar_exact, tabulate, tango
from netversus.studies.similarity import alignment, looks
from netversus.studies.similarity.agreement import LEVEL, Agreement, Both
from netversus.studies.similarity.alignment import Alignment, Network
from netversus.studies.similarity.looks import SIDE, Look, Looks, Scene
from netversus.studies.similarity.worth import blocks_shown
from netversus.study import Evidence

FEWEST_IN_A_BIN, BINS = 5, 5


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """Features first, then answers, then pictures, then blocks."""
    cards = evidence.contenders
    content = next((c for card in cards if (c := evidence.artifact(alignment.FILE, card.name))), None)
    state = alignment.loaded(content)
    if state is not None and len(state.sizes):
        yield from _features(state, cards)
    pairs = [
        (a, b, both) for a, b in combinations(cards, 2) if (both := _both(evidence, a, b)) is not None and len(both)
    ]
    if pairs:
        yield _agreement(pairs)
        yield _joined(evidence, pairs)
        yield from (_disagreement(a, b, both) for a, b, both in pairs if both.disagree.any())
    kept = next((c for card in cards if (c := evidence.artifact(looks.FILE, card.name))), None)
    yield from _where_they_look(evidence, looks.loaded(kept), cards)
    yield from blocks_shown(evidence)
    yield from shortage_shown(evidence)


# Features


def _features(state: Alignment, cards: Sequence[ContenderCard]) -> Iterator[Exhibit]:
    """A heat map of every two contenders, and for each place the one it is most like, with an interval."""
    values = state.cka()
    rows: list[tuple[Scalar, ...]] = []
    for a, b in combinations([card.name for card in cards], 2):
        one, other = state.network(a), state.network(b)
        if one is None or other is None:
            continue
        part = values[one.first : one.places.stop, other.first : other.places.stop]
        yield Heatmap(
            title=say("How alike the features of {a} and {b} are", a=a, b=b),
            y_label=a,
            x_label=b,
            rows=tuple(map(told, one.labels)),
            columns=tuple(map(told, other.labels)),
            values=tuple(tuple(float(v) if np.isfinite(v) else None for v in line) for line in part),
            description=say(
                "Linear CKA of every two stages: 1 where they hold the same up to rotation and scale, about 0 where "
                "they have nothing in common."
            ),
        )
        rows += [row for place in one.places if (row := _nearest(state, values, one, other, place)) is not None]
    if rows:
        yield Table(
            title=say("Each stage and the stage of the other that is most like it"),
            columns=(
                *("A", say("stage of A"), "B", say("most like it, of B")),
                *(say("CKA"), say("95 % interval"), say("CKA of untrained copies")),
            ),
            rows=tuple(rows),
            formats=("", "", "", "", ".3f", "", ".3f"),
            note=say(
                "Debiased linear CKA over {n} images in {batches} batches; interval by leaving out a batch at a time. "
                "The untrained copies have the same layers and random weights: what they share, no training brought "
                "about.",
                n=f"{int(state.sizes.sum()):,}",
                batches=f"{len(state.sizes):,}",
            ),
        )


def _nearest(
    state: Alignment, values: alignment.Array, one: Network, other: Network, place: int
) -> tuple[Scalar, ...] | None:
    line = values[place, other.first : other.places.stop]
    if not np.isfinite(line).any():
        return None
    best = other.first + int(np.nanargmax(line))
    copies = [state.network(network.name, untrained=True) for network in (one, other)]
    control = None
    if copies[0] is not None and copies[1] is not None:
        found = values[copies[0].first + place - one.first, copies[1].first + best - other.first]
        control = float(found) if np.isfinite(found) else None
    labels = told(one.labels[place - one.first]), told(other.labels[best - other.first])
    interval = _ends(state.interval(place, best), 1, ".3f")
    return one.name, labels[0], other.name, labels[1], float(values[place, best]), interval, control


def _ends(effect: Effect | None, times: float = 100, form: str = ".1f") -> str | None:
    return None if effect is None else f"[{times * effect.low:{form}}, {times * effect.high:{form}}]".replace("-", "−")


# Answers


def _both(evidence: Evidence, a: ContenderCard, b: ContenderCard) -> Both | None:
    """The two on the images that both have seen."""
    found = [[evidence.series(card.name, m) for m in ("top1", "predicted", "confidence")] for card in (a, b)]
    maps = []
    for series in found:
        if any(each is None for each in series):
            return None
        maps.append([dict(zip(s.units, s.values.tolist(), strict=True)) for s in series if s is not None])
    units = [unit for unit in maps[0][0] if all(unit in each for side in maps for each in side)]
    (right_a, said_a, sure_a), (right_b, said_b, sure_b) = (
        [np.array([each[unit] for unit in units], dtype=float) for each in side] for side in maps
    )
    return Both(
        right_a > 0, right_b > 0, said_a.astype(np.int64), said_b.astype(np.int64), sure_a, sure_b, tuple(units)
    )


Pairs = Sequence[tuple[ContenderCard, ContenderCard, Both]]


def _agreement(pairs: Pairs) -> Table:
    rows = []
    for a, b, both in pairs:
        answers, errors = both.answers, both.errors
        mistake = both.same_mistake
        rows.append(
            (
                *(a.name, b.name, len(both)),
                *_three(answers),
                *_three(errors),
                _ends(both.errors_interval(), 1, ".2f"),
                None if mistake is None else 100 * mistake,
            )
        )
    return Table(
        title=say("Do they say the same, and are they wrong on the same images?"),
        columns=(
            *("A", "B", say("images")),
            *(say("same answer (%)"), say("by chance (%)"), say("kappa of the answers")),
            *(say("both right or both wrong (%)"), say("by chance (%)"), say("error consistency (kappa)")),
            *(say("95 % interval"), say("same mistake, of those both get wrong (%)")),
        ),
        rows=tuple(rows),
        formats=("", "", ",d", ".1f", ".1f", ".2f", ".1f", ".1f", ".2f", "", ".1f"),
        note=say(
            "Two good contenders agree often by chance alone; kappa is the share of what chance leaves open: 0 for "
            "independent mistakes, 1 for the same ones. Interval from the Bayesian bootstrap over images."
        ),
    )


def _three(agreement: Agreement) -> tuple[float, float, float | None]:
    return 100 * agreement.observed, 100 * agreement.expected, agreement.kappa


def _joined(evidence: Evidence, pairs: Pairs) -> Table:
    """What two together would gain: by the mean of their probabilities, or by believing the surer."""
    rows: list[tuple[Scalar, ...]] = []
    for a, b, both in pairs:
        together = _together(evidence, a, b, both.units)
        better = both.right_a if both.right_a.sum() >= both.right_b.sum() else both.right_b
        name = a.name if better is both.right_a else b.name
        for rule, right in ((say("mean of the probabilities"), together), (say("the surer of the two"), both.surer)):
            if right is None:
                continue
            table = tabulate(better.astype(float), right.astype(float))
            gain = tango(table.only_b, table.only_a, table.n, LEVEL)
            p = mcnemar_exact(table.only_b, table.only_a)
            ceiling = 100 * float((both.right_a | both.right_b).mean())
            levels = (100 * float(each.mean()) for each in (both.right_a, both.right_b, right))
            rows.append((a.name, b.name, rule, *levels, name, 100 * gain.estimate, _ends(gain), p, ceiling))
    return Table(
        title=say("What both together would gain"),
        columns=(
            *("A", "B", say("rule"), say("A alone (%)"), say("B alone (%)"), say("together (%)")),
            *(say("the better one"), say("gain over it (points)"), say("95 % interval"), "p", say("one of them (%)")),
        ),
        rows=tuple(rows),
        formats=("", "", "", ".1f", ".1f", ".1f", "", "+.1f", "", ".2g", ".1f"),
        note=say(
            "Paired on the image: Tango's interval, exact McNemar test. The better one was chosen on the same images, "
            "which makes the gain look smaller, not larger. No rule can be right where neither is: the last column. "
            "Both together cost as much time as the two one after the other."
        ),
    )


def _together(
    evidence: Evidence, a: ContenderCard, b: ContenderCard, units: Sequence[str]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]] | None:
    """Whether the mean of the two is right, on each image."""
    series = evidence.series(a.name, "pair_top1")
    if series is None:
        return None
    seen = dict(zip(series.units, series.values.tolist(), strict=True))
    found = [seen.get(f"{b.name}: {unit}") for unit in units]
    return None if None in found else np.array([value == 1 for value in found])


def _disagreement(a: ContenderCard, b: ContenderCard, both: Both) -> Chart:
    """Of the images on which they disagree, who is right, by how much surer B is."""
    where = both.disagree
    gap = (both.sure_b - both.sure_a)[where]
    index = np.minimum(((gap + 1) / 2 * BINS).astype(int), BINS - 1)
    used = [n for n in range(BINS) if np.count_nonzero(index == n) >= FEWEST_IN_A_BIN]
    lines = []
    for name, right in ((a.name, both.right_a), (b.name, both.right_b)):
        shares = [float(100 * right[where][index == n].mean()) for n in used]
        lines.append(Series(name, tuple(float(100 * gap[index == n].mean()) for n in used), tuple(shares)))
    return Chart(
        title=say("When {a} and {b} disagree, who is right?", a=a.name, b=b.name),
        kind="line",
        x_label=say("how much surer {b} is (points)", b=b.name),
        y_label=say("right (%)"),
        series=tuple(lines),
        description=say(
            "{n} of {all} images were given different answers. Where confidence can be believed, each is right more "
            "often the surer it is than the other. Groups of at least {fewest} images.",
            n=f"{int(where.sum()):,}",
            all=f"{len(both):,}",
            fewest=FEWEST_IN_A_BIN,
        ),
        y_from_zero=True,
    )


# Where they look


def _where_they_look(evidence: Evidence, found: Looks, cards: Sequence[ContenderCard]) -> Iterator[Exhibit]:
    """A row an image, a column a contender."""
    names = [card.name for card in cards]
    scenes = [scene for scene in found.scenes if set(names) <= set(scene.looks)]
    if not scenes or len(names) < 2:
        return
    pictures = []
    for scene in scenes:
        truth = _class(evidence, scene.label)
        pictures.append(
            _picture(scene.plain, say("Image {unit} of class {truth}", unit=scene.unit, truth=truth), truth)
        )
        pictures += [_look(evidence, scene, name, scene.looks[name]) for name in names]
    yield Gallery(
        title=say("Where each looks, on images on which they disagree"),
        pictures=tuple(pictures),
        columns=(say("image"), *names),
        note=say(
            "Bright is what spoke for the answer that was given: gradient times activation in the last stage with more "
            "than one place. It tells where, not why."
        ),
    )
    for a, b, same, others in found.shared:
        words = {"a": a, "b": b, "same": f"{100 * same:.0f}"}
        if others is None:
            yield Text(say("{a} and {b} share {same} % of where they look on the image above.", **words))
        else:
            yield Text(
                say(
                    "{a} and {b} share {same} % of where they look on these images; looks at different images share "
                    "{others} %.",
                    **words,
                    others=f"{100 * others:.0f}",
                )
            )


def _look(evidence: Evidence, scene: Scene, name: str, look: Look) -> Picture:
    answer, sure = _class(evidence, look.answer), f"{100 * look.sure:.0f}"
    alt = say("Where {name} looks on image {unit} to say {answer}", name=name, unit=scene.unit, answer=answer)
    words = {"answer": answer, "sure": sure}
    right = look.answer == scene.label
    caption = (
        say("right: {answer} ({sure} % sure)", **words) if right else say("wrong: {answer} ({sure} % sure)", **words)
    )
    return _picture(look.shown, alt, caption)


def _picture(content: bytes, alt: str, caption: str) -> Picture:
    return Picture(content=content, alt=alt, width=SIDE, height=SIDE, caption=caption)


def _class(evidence: Evidence, index: int) -> str:
    """A class' name; a network may have answers that are none of the data's classes."""
    classes = evidence.data.classes
    return classes[index] if index < len(classes) else say("answer {n}, no class of the data", n=index)
