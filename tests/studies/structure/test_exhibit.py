"""The diagram shows where the extra blocks are; the tables say what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from netversus.exhibits import Chart, Diagram, Table, Text
from netversus.records import ContenderCard, Preprocessing
from netversus.report.svg.diagram import draw_diagram
from netversus.statistics.pairing import Sample
from netversus.studies.structure.exhibit import exhibit

RESNET50 = {
    "stem": None,
    "stage 1: layer1": 3,
    "stage 2: layer2": 4,
    "stage 3: layer3": 6,
    "stage 4: layer4": 3,
    "head": None,
}
RESNET101 = RESNET50 | {"stage 3: layer3": 23}
PLAIN = {"stage 1: 16 px": None, "stage 2: 8 px": None, "head": None}


@dataclass
class Stored:
    """Evidence as a test writes it: contender -> metric -> unit -> value."""

    contenders: list[ContenderCard]
    seen: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        values = self.seen.get(contender, {}).get(metric)
        return None if values is None else Sample(tuple(values), np.array(list(values.values()), dtype=np.float64))


def network(blocks: dict[str, int | None], **facts: float) -> dict[str, dict[str, float]]:
    """Three layers and 10 parameters a block; a stage without blocks has two layers."""
    some = {name: n for name, n in blocks.items() if n is not None}
    seen = {
        "stage_parameters": {name: 10.0 * (n or 1) for name, n in blocks.items()},
        "stage_macs": {name: 1e6 * (n or 1) for name, n in blocks.items()},
        "stage_activations": dict.fromkeys(blocks, 100.0),
        "stage_layers": {name: 3.0 * n if n else 2.0 for name, n in blocks.items()},
        "stage_channels": dict.fromkeys(blocks, 64.0),
        "stage_positions": dict.fromkeys(blocks, 49.0),
    }
    if some:
        seen["stage_blocks"] = {name: float(n) for name, n in some.items()}
        seen["blocks"] = {"network": float(sum(some.values()))}
    whole = {"parameters": sum(seen["stage_parameters"].values())} | facts
    return seen | {metric: {"network": value} for metric, value in whole.items()}


@pytest.fixture
def shown(make_card):
    def show(**networks: dict[str, dict[str, float]]) -> list[object]:
        return list(exhibit(Stored([make_card(name) for name in networks], networks)))  # type: ignore[arg-type]

    return show


def only(shown: list[object], kind: type) -> list:
    return [each for each in shown if isinstance(each, kind)]


def table(shown: list[object], title: str) -> list[dict[str, object]]:
    found = next(each for each in only(shown, Table) if title in each.title)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_17_of_23_blocks_of_stage_3_are_marked(shown):
    diagram = only(shown(a=network(RESNET50), b=network(RESNET101)), Diagram)[0]
    assert [[(b.label, b.units, b.marked) for b in blocks] for _, blocks in diagram.rows] == [
        [("stem", 2, 0), ("stage 1", 3, 0), ("stage 2", 4, 0), ("stage 3", 6, 0), ("stage 4", 3, 0), ("head", 2, 0)],
        [("stem", 2, 0), ("stage 1", 3, 0), ("stage 2", 4, 0), ("stage 3", 23, 17), ("stage 4", 3, 0), ("head", 2, 0)],
    ]
    assert "b: 17 of 23 in stage 3" in diagram.description
    picture = draw_diagram(diagram, width=900, contenders=("a", "b"), key="k")
    assert picture.count('class="unit extra') == 17


def test_the_difference_is_said_in_words(shown):
    text = only(shown(a=network(RESNET50), b=network(RESNET101)), Text)[0].text
    assert text.startswith("b has 33 residual blocks, a has 16: stage 3 has 23 instead of 6.")
    assert "other stages have as many" in text
    same = only(shown(a=network(RESNET50), b=network(RESNET50)), Text)[0].text
    assert same.startswith("b has as many residual blocks as a in every stage.")


def test_stages_are_aligned_by_number_and_a_missing_one_is_shown_as_missing(shown):
    vit = {"stem": None, "stage 1: blocks": 12, "head": None}
    (_, first), (_, second) = only(shown(a=network(RESNET50), b=network(vit)), Diagram)[0].rows
    assert [block.label for block in first] == [block.label for block in second]
    assert [(b.units, b.detail) for b in second if b.label == "stage 2"] == [(0, "no such stage")]
    assert {b.label: b.marked for b in first}["stage 3"] == 6
    text = only(shown(a=network(RESNET50), b=network(vit)), Text)[0].text
    assert text.startswith("b has 12 residual blocks, a has 16, in 1 and 4 stages")
    series = only(shown(a=network(vit), b=network(RESNET50)), Chart)[0].series
    assert series[0].x == series[1].x == ("stem", "stage 1", "stage 2", "stage 3", "stage 4", "head")
    assert np.isnan(series[0].y[2:5]).all()
    assert {b.label: b.marked for b in second}["stage 1"] == 9


def test_blocks_are_not_counted_against_layers(shown):
    rows = only(shown(a=network(RESNET50), b=network(PLAIN)), Diagram)[0].rows
    first, second = ({b.label: b for b in blocks} for _, blocks in rows)
    assert (first["stage 1"].units, first["stage 1"].marked) == (3, 0)
    assert (second["stage 1"].units, second["stage 1"].marked) == (2, 0)
    assert not any("residual" in each.text for each in only(shown(a=network(RESNET50), b=network(PLAIN)), Text))


def test_one_contender_alone_has_nothing_marked(shown):
    diagram = only(shown(a=network(RESNET101)), Diagram)[0]
    assert all(block.marked == 0 for _, blocks in diagram.rows for block in blocks)


def test_multiply_adds_are_shown_by_stage(shown):
    chart = only(shown(a=network(RESNET50), b=network(RESNET101)), Chart)[0]
    assert dict(zip(chart.series[1].x, chart.series[1].y, strict=True))["stage 3"] == 23.0
    costs = {
        (r["stage"], r["contender"]): r for r in table(shown(a=network(RESNET50), b=network(RESNET101)), "numbers")
    }
    assert costs["stage 3", "b"]["of all multiply-adds (%)"] == pytest.approx(100 * 23 / 35)
    assert costs["stage 3", "b"]["where"] == "layer3"
    assert costs["stem", "a"]["residual blocks"] is None
    assert costs["stem", "a"]["output"] == "64 × 7 × 7"


def test_fields_and_memory_are_told_apart(shown):
    a = network(RESNET50, theoretical_field=427, effective_field=16, peak_memory=3 * 2**20, weight_bytes=2**20)
    b = network(PLAIN, field_exceeds=5376)
    one, two = table(shown(a=a, b=b), "far")
    assert (one["can see (px)"], one["effectively sees (px)"], one["of the image side (%)"]) == ("427", 16, 50)
    assert (one["weights (MiB)"], one["results alive at once (MiB)"]) == (1, 2)
    assert two["can see (px)"] == "more than 5,376"
    assert two["residual blocks"] is None
    assert two["weights (MiB)"] is None


def test_different_sizes_of_image_are_said(make_card):
    cards = [make_card(name, preprocessing=Preprocessing(side, None)) for name, side in (("a", 32), ("b", 224))]
    stored = Stored(cards, {"a": network(RESNET50), "b": network(RESNET50)})
    assert "different sizes (a 32 px, b 224 px)" in only(list(exhibit(stored)), Text)[0].text  # type: ignore[arg-type]


def test_what_could_not_be_determined_is_said(shown):
    whole = network(RESNET50, theoretical_field=427, effective_field=16)
    lacking = network(PLAIN, parameters=35.0)
    words = " ".join(each.text for each in only(shown(a=whole, b=lacking), Text))
    assert "What b can see could not be determined" in words
    assert "What b effectively sees could not be determined" in words
    assert "b has 5 parameters that answering an image does not use" in words
    assert "What a" not in words
    assert "a has 0 parameters" not in words


def test_a_cell_that_was_interrupted_between_two_metrics_shows_nothing(shown):
    part = {name: values for name, values in network(RESNET50).items() if name != "stage_layers"}
    assert shown(a=part) == []
