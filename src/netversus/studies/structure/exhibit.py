"""Where the networks differ: a block diagram stage by stage, what each stage costs, how far each network sees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isqrt, nan

from netversus.exhibits import Block, Chart, Diagram, Exhibit, Series, Table, Text
from netversus.messages import clauses, in_a_row, say, sentences, told
from netversus.records import ContenderCard
from netversus.studies.structure import HEAD, STEM
from netversus.study import Evidence

MEBI = 2**20


@dataclass(frozen=True, slots=True)
class _Stage:
    """A stage as it was stored. `label` aligns contenders ("stage 3"), `place` is its own name in the network."""

    label: str
    place: str
    parameters: int
    macs: int
    activations: int
    layers: int
    blocks: int | None
    channels: int | None
    positions: int | None

    @property
    def units(self) -> int:
        """Residual blocks, or layers where it has none."""
        return self.layers if self.blocks is None else self.blocks

    @property
    def output(self) -> str:
        """The shape of its output, in words."""
        if self.channels is None or self.positions is None:
            return ""
        side = isqrt(self.positions)
        if self.positions == 1:
            return f"{self.channels:,}"
        if side * side == self.positions:
            return f"{self.channels:,} × {side} × {side}"
        return say("{channels} × {n} tokens", channels=f"{self.channels:,}", n=f"{self.positions:,}")


@dataclass(frozen=True, slots=True)
class _Network:
    """One contender's stages by label, in order."""

    card: ContenderCard
    stages: dict[str, _Stage]


def exhibit(evidence: Evidence) -> Iterator[Exhibit]:
    """The difference in words, the diagram, and the numbers of networks and stages."""
    networks = [n for card in evidence.contenders if (n := _network(evidence, card)).stages]
    if not networks:
        return
    labels = sorted({label for n in networks for label in n.stages}, key=_order)
    words = [_against(networks[0], other, labels) for other in networks[1:]]
    if any(words := [*words, _sizes(networks)]):
        yield Text(sentences(*words))
    yield _diagram(networks, labels)
    yield _macs(networks, labels)
    yield _facts(evidence, networks)
    if missing := sentences(*_missing(evidence, networks)):
        yield Text(missing)
    yield _costs(networks, labels)


def _network(evidence: Evidence, card: ContenderCard) -> _Network:
    columns: dict[str, dict[str, int]] = {}
    for metric in ("parameters", "macs", "activations", "layers", "blocks", "channels", "positions"):
        series = evidence.series(card.name, f"stage_{metric}")
        if series is not None:
            columns[metric] = {unit: int(value) for unit, value in zip(series.units, series.values, strict=True)}
    whole = [columns.get(metric, {}) for metric in ("parameters", "macs", "activations", "layers")]
    stages = {}
    for name in whole[0]:
        if all(name in column for column in whole):  # an interrupted cell may hold a part
            label, _, place = name.partition(": ")
            some = [columns.get(metric, {}).get(name) for metric in ("blocks", "channels", "positions")]
            stages[label] = _Stage(label, place, *(column[name] for column in whole), *some)
    return _Network(card, stages)


def _order(label: str) -> int:
    """The stem, the stages by number, the head."""
    return -1 if label == STEM else 10**6 if label == HEAD else int(label.rpartition(" ")[2])


def _against(one: _Network, other: _Network, labels: Sequence[str]) -> str:
    """Where the second has another number of residual blocks than the first; empty where one of them has none."""
    a, b = ({label: s.blocks for label, s in n.stages.items() if s.blocks} for n in (one, other))
    if not a or not b:
        return ""
    who = {"other": other.card.name, "one": one.card.name}
    counts = {"others": sum(b.values()), "ones": sum(a.values())}
    if a.keys() != b.keys():
        return say(
            "{other} has {others} residual blocks, {one} has {ones}, in {n} and {m} stages: stages of one number do "
            "not correspond.",
            **who,
            **counts,
            n=len(b),
            m=len(a),
        )
    differing = [label for label in labels if a.get(label) != b.get(label)]
    if not differing:
        return say("{other} has as many residual blocks as {one} in every stage.", **who)
    where = [say("{stage} has {n} instead of {m}", stage=told(x), n=b[x], m=a[x]) for x in differing]
    whole = say(
        "{other} has {others} residual blocks, {one} has {ones}: {where}.", **who, **counts, where=in_a_row(where)
    )
    return sentences(whole, say("The other stages have as many.") if len(differing) < len(a) else "")


def _sizes(networks: Sequence[_Network]) -> str:
    """A word of caution where the contenders do not look at images of one size."""
    sides = {n.card.name: n.card.preprocessing.crop for n in networks}
    if len(set(sides.values())) < 2:
        return ""
    return say(
        "The contenders take images of different sizes ({sizes}): each is counted at its own.",
        sizes=in_a_row(f"{name} {side} px" for name, side in sides.items()),
    )


def _diagram(networks: Sequence[_Network], labels: Sequence[str]) -> Diagram:
    rows = tuple((n.card.name, tuple(_block(n, label, networks) for label in labels)) for n in networks)
    marked = [(name, block) for name, row in rows for block in row if block.marked]
    words = say(
        "A small box is a residual block, in a stage without such blocks a layer with weights; below a stage's name "
        "stands the shape of its output."
    )
    return Diagram(say("Stage by stage"), rows, sentences(words, _marked(marked, networks)))


def _marked(marked: Sequence[tuple[str, Block]], networks: Sequence[_Network]) -> str:
    """What the marks mean, and where they are if the stages correspond."""
    if not marked:
        return ""
    if any(n.stages.keys() != networks[0].stages.keys() for n in networks):
        return say("Marked is what not every contender has.")
    where = (
        say("{contender}: {n} of {m} in {stage}", contender=name, n=b.marked, m=b.units, stage=b.label)
        for name, b in marked
    )
    return say("Marked is what not every contender has: {where}.", where=clauses(where))


def _block(network: _Network, label: str, networks: Sequence[_Network]) -> Block:
    stage = network.stages.get(label)
    if stage is None:
        return Block(told(label), 0, say("no such stage"))
    rivals = [n.stages.get(label) for n in networks]
    alike = all(rival is None or (rival.blocks is None) == (stage.blocks is None) for rival in rivals)
    least = min(rival.units if rival else 0 for rival in rivals)
    return Block(told(label), stage.units, stage.output, stage.units - least if alike else 0)


def _macs(networks: Sequence[_Network], labels: Sequence[str]) -> Chart:
    series = []
    for n in networks:
        macs = (n.stages[label].macs / 1e6 if label in n.stages else nan for label in labels)
        series.append(Series(n.card.name, tuple(map(told, labels)), tuple(macs)))
    return Chart(
        title=say("Multiply-adds by stage, for one image"),
        kind="bar",
        x_label=say("stage"),
        y_label=say("multiply-adds (millions)"),
        series=tuple(series),
        description=say(
            "Where each contender spends its multiply-adds; the stages of one contender add up to its total."
        ),
        y_from_zero=True,
    )


def _facts(evidence: Evidence, networks: Sequence[_Network]) -> Table:
    rows = []
    for n in networks:
        name, crop = n.card.name, n.card.preprocessing.crop
        peak, weights = _fact(evidence, name, "peak_memory"), _fact(evidence, name, "weight_bytes")
        side = _fact(evidence, name, "effective_field")
        rows.append(
            (
                name,
                crop,
                _fact(evidence, name, "blocks"),
                _theoretical(evidence, name),
                side,
                None if side is None else 100 * side / crop,
                None if weights is None else weights / MEBI,
                None if peak is None or weights is None else (peak - weights) / MEBI,
            )
        )
    return Table(
        title=say("How far each network sees, and what it keeps in memory"),
        columns=(
            say("contender"),
            say("image side (px)"),
            say("residual blocks"),
            say("can see (px)"),
            say("effectively sees (px)"),
            say("of the image side (%)"),
            say("weights (MiB)"),
            say("results alive at once (MiB)"),
        ),
        rows=tuple(rows),
        formats=("", ",.0f", ",.0f", "", ",.0f", ".0f", ",.1f", ",.1f"),
        note=say(
            "What a unit of the last feature map can see on a boundless image (theoretical receptive field), and the "
            "side of the square as large as the area that matters to the central unit (effective receptive field), "
            "which the image bounds and the weights decide: of random weights it tells what the architecture favours."
        ),
    )


def _theoretical(evidence: Evidence, name: str) -> str | None:
    pixels, least = (_fact(evidence, name, metric) for metric in ("theoretical_field", "field_exceeds"))
    if pixels is not None:
        return f"{pixels:,.0f}"
    return None if least is None else say("more than {n}", n=f"{least:,.0f}")


def _missing(evidence: Evidence, networks: Sequence[_Network]) -> Iterator[str]:
    """What could not be determined, and why; what a network has and one image does not use."""
    for n in networks:
        name = n.card.name
        if _theoretical(evidence, name) is None:
            yield say(
                "What {contender} can see could not be determined: it takes images of one size only, or what a unit "
                "sees depends on where it lies.",
                contender=name,
            )
        if _fact(evidence, name, "effective_field") is None:
            yield say(
                "What {contender} effectively sees could not be determined: it has no map with a centre, or no "
                "gradient.",
                contender=name,
            )
        unused = (_fact(evidence, name, "parameters") or 0) - sum(s.parameters for s in n.stages.values())
        if unused:
            yield say(
                "{contender} has {n} parameters that answering an image does not use.",
                contender=name,
                n=f"{unused:,.0f}",
            )


def _costs(networks: Sequence[_Network], labels: Sequence[str]) -> Table:
    rows = []
    for label in labels:
        for n in networks:
            if label in n.stages:
                s = n.stages[label]
                share = 100 * s.macs / max(1, sum(each.macs for each in n.stages.values()))
                words = (told(label), n.card.name, s.place or None)
                rows.append(
                    (*words, s.blocks, s.layers, s.output or None, s.parameters, s.macs, share, s.activations),
                )
    return Table(
        title=say("The stages in numbers, for one image"),
        columns=(
            say("stage"),
            say("contender"),
            say("where"),
            say("residual blocks"),
            say("layers"),
            say("output"),
            say("parameters"),
            say("multiply-adds"),
            say("of all multiply-adds (%)"),
            say("activations"),
        ),
        rows=tuple(rows),
        formats=("", "", "", "d", "d", "", ",d", ",d", ".1f", ",d"),
        note=say(
            "Layers: those with weights on the longest way through the stage. Activations: numbers that layers with "
            "weights write."
        ),
    )


def _fact(evidence: Evidence, contender: str, metric: str) -> float | None:
    series = evidence.series(contender, metric)
    return None if series is None else float(series.values[0])
