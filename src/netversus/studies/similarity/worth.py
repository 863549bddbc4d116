"""What each residual block is worth: how much accuracy is lost when it alone is skipped. Loads no torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netversus.exhibits import Chart, Exhibit, Series, Table, Text
from netversus.messages import say, told
from netversus.records import Effect
from netversus.statistics.bootstrap import bootstrap_mean, percentile_interval
from netversus.statistics.proportions import tabulate, tango
from netversus.studies.similarity.agreement import LEVEL
from netversus.studies.similarity.files import BLOCKS
from netversus.study import Evidence

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Lesions:
    """One contender on some images: whether it is right as a whole (float64, shape (n,)), and without each block."""

    contender: str
    whole: Array
    without: Mapping[str, Array]

    def loss(self, block: str) -> Effect:
        """The accuracy that is lost without a block, with Tango's paired interval."""
        table = tabulate(self.without[block], self.whole)
        return tango(table.only_b, table.only_a, table.n, LEVEL)

    def mean_loss(self, blocks: Sequence[str]) -> Effect | None:
        """What is lost without one of several blocks, on average; the interval is a bootstrap over images."""
        if not blocks or len(self.whole) < 2:
            return None
        losses = self.whole - np.mean([self.without[block] for block in blocks], axis=0)
        draws = bootstrap_mean(losses, seed=0)
        return percentile_interval(float(losses.mean()), draws, len(losses), LEVEL)


def blocks_shown(evidence: Evidence) -> Iterator[Exhibit]:
    """The blocks' worth as a chart, the blocks that others lack beside those that they have; and who has none."""
    found, without = [], []
    for card in evidence.contenders:
        content = evidence.artifact(BLOCKS, card.name)
        told_of: dict[str, Any] = json.loads(content) if content else {"blocks": [], "reason": ""}
        lesions = lesions_of(evidence, card.name, told_of["blocks"])
        if lesions is not None:
            found.append(lesions)
        elif told_of["reason"]:
            without.append((card.name, told_of["reason"]))
    if found:
        yield _chart(found)
        yield _table(found)
    for name, reason in without:
        yield Text(say("No block of {contender} was skipped: {reason}.", contender=name, reason=told(reason)))


def lesions_of(evidence: Evidence, contender: str, blocks: Sequence[str]) -> Lesions | None:
    """What was seen of a contender on the images that were shown without each of its blocks; None where nothing was."""
    whole, cut = evidence.series(contender, "whole_top1"), evidence.series(contender, "skipped_top1")
    if whole is None or cut is None or not blocks:
        return None
    seen = dict(zip(cut.units, cut.values.tolist(), strict=True))
    units = [unit for unit in whole.units if all(f"{block}: {unit}" in seen for block in blocks)]
    if not units:
        return None
    right = dict(zip(whole.units, whole.values.tolist(), strict=True))
    without = {block: np.array([seen[f"{block}: {unit}"] for unit in units]) for block in blocks}
    return Lesions(contender, np.array([right[unit] for unit in units]), without)


def _chart(found: Sequence[Lesions]) -> Chart:
    """A row a block, in the order of the network that has most of them."""
    longest = max(found, key=lambda each: len(each.without))
    order = dict.fromkeys([*longest.without, *(block for each in found for block in each.without)])
    series = []
    for each in found:
        losses = {block: each.loss(block) for block in order if block in each.without}
        series.append(
            Series(
                name=each.contender,
                x=tuple(losses),
                y=tuple(100 * loss.estimate for loss in losses.values()),
                low=tuple(100 * loss.low for loss in losses.values()),
                high=tuple(100 * loss.high for loss in losses.values()),
            )
        )
    return Chart(
        title=say("What is lost when a single residual block is skipped"),
        kind="dot",
        x_label=say("block"),
        y_label=say("top-1 lost (points)"),
        series=tuple(series),
        description=say(
            "Each block by the name of its module. Its input is handed on unchanged, all else stays as it was trained. "
            "Paired 95 % intervals, one block at a time."
        ),
        y_from_zero=True,
    )


def _table(found: Sequence[Lesions]) -> Table:
    """The blocks that only one contender has, beside those that another has too."""
    rows: list[tuple[str | float | None, ...]] = []
    for each in found:
        others = {block for other in found if other is not each for block in other.without}
        both = [block for block in each.without if block in others]
        alone = [block for block in each.without if block not in others]
        groups = [(say("all"), [*each.without])]
        if both and alone:
            groups += [(say("those that another has too"), both), (say("those that no other has"), alone)]
        for name, blocks in groups:
            loss = each.mean_loss(blocks)
            costly = max(blocks, key=lambda block: each.loss(block).estimate)
            rows.append(
                (
                    *(each.contender, name, len(blocks), len(each.whole)),
                    None if loss is None else 100 * loss.estimate,
                    None if loss is None else f"[{100 * loss.low:.1f}, {100 * loss.high:.1f}]".replace("-", "−"),
                    *(costly, 100 * each.loss(costly).estimate),
                )
            )
    return Table(
        title=say("Which blocks matter"),
        columns=(
            *(say("contender"), say("blocks"), say("how many"), say("images")),
            *(say("top-1 lost without one, mean (points)"), say("95 % interval")),
            *(say("costliest block"), say("top-1 lost without it (points)")),
        ),
        rows=tuple(rows),
        formats=("", "", "d", ",d", "+.1f", "", "", "+.1f"),
        note=say(
            "Blocks are the same where their modules have the same name. That a block can be spared does not mean that "
            "training without it would have done as well. The costliest one is picked after the fact: its loss is "
            "somewhat too high."
        ),
    )
