"""Pictures: numbers become the right places, and nothing that a study can hand over breaks one."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netversus.errors import NetversusError
from netversus.exhibits import Block, Chart, Diagram, Heatmap, Series
from netversus.records import Direction, Effect, Finding, Scale, Verdict
from netversus.report.svg import (
    Identity,
    draw_chart,
    draw_diagram,
    draw_heatmap,
    draw_interval,
    draw_marker,
    drawn_part,
)
from netversus.report.svg.element import shortened, text_width
from netversus.report.svg.heatmap import left_out
from netversus.report.svg.interval import WIDTH
from netversus.report.svg.marker import identities
from netversus.report.svg.scale import fit_scale, nice_ticks, number_text, number_texts, tick_text

from .conftest import A, B, example_view

NAN, INF = math.nan, math.inf
_FINITE = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


def _chart(kind: str = "line", *series: Series, **changes: object) -> Chart:
    chart = Chart("Title", kind, "x", "y (%)", series or (_series(A),), "What it shows.")
    return replace(chart, **changes)  # type: ignore[arg-type]


def _series(name: str, x: tuple = (1.0, 2.0, 3.0), y: tuple = (10.0, 20.0, 15.0), **more: tuple) -> Series:
    return Series(name, x, y, **more)


def _drawn(chart: Chart, width: float = 680.0) -> Element:
    return fromstring(str(draw_chart(chart, width=width, contenders=(A, B), key="k")))


def _numbers(root: Element) -> list[float]:
    """Every coordinate of the picture."""
    places = ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height", "d", "points", "viewBox")
    words = " ".join(e.attrib[name] for e in root.iter() for name in places if name in e.attrib)
    assert "nan" not in words
    assert "inf" not in words
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", words)]


def _of_class(root: Element, name: str) -> list[Element]:
    return [e for e in root.iter() if name in e.attrib.get("class", "").split()]


def _texts(root: Element) -> list[str]:
    return [e.text or "" for e in root.iter() if e.tag == "text"]


# -- scales


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
        (12.0, 87.0, (0.0, 20.0, 40.0, 60.0, 80.0, 100.0)),
        (-3.0, 4.0, (-4.0, -2.0, 0.0, 2.0, 4.0)),
        (512.0, 3072.0, (500.0, 1000.0, 1500.0, 2000.0, 2500.0, 3000.0, 3500.0)),
    ],
)
def test_ticks_are_numbers_that_people_use(low: float, high: float, ticks: tuple[float, ...]):
    assert nice_ticks(low, high) == pytest.approx(ticks)


@given(st.tuples(_FINITE, _FINITE))
def test_ticks_hold_the_values_at_equal_steps(ends: tuple[float, float]):
    low, high = min(ends), max(ends)
    ticks = nice_ticks(low, high)
    slack = 1e-6 * max(1.0, abs(low), abs(high), high - low)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 12
    steps = [b - a for a, b in pairwise(ticks)]
    assert max(steps) - min(steps) <= 1e-6 * max(abs(t) for t in ticks)


@given(st.lists(_FINITE, min_size=1, max_size=20), st.booleans())
def test_a_scale_keeps_order_and_stays_within_its_pixels(values: list[float], zero: bool):
    scale = fit_scale(values, 40.0, 640.0, zero=zero)
    places = [scale(value) for value in sorted(values)]
    assert places == sorted(places)
    assert all(40.0 <= place <= 640.0 for place in places)
    if zero:
        assert scale.low <= 0 <= scale.high


def test_a_scale_clips_what_lies_beyond_it_also_infinity():
    scale = fit_scale([0.0, 10.0], 0.0, 100.0)
    assert scale(25.0) == scale(INF) == 100.0
    assert scale(-25.0) == scale(-INF) == 0.0
    assert scale(5.0) == 50.0


@pytest.mark.parametrize("values", [(), (NAN,), (INF, -INF), (7.0,), (7.0, 7.0, 7.0), (0.0,), (-3.0,)])
def test_a_scale_of_nothing_or_of_one_value_has_an_extent(values: tuple[float, ...]):
    scale = fit_scale(values, 0.0, 100.0)
    assert scale.low < scale.high
    assert len(set(scale.labels())) == len(scale.ticks)


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [(0.0, 0.2, "0"), (0.2, 0.2, "0.2"), (-0.05, 0.05, "−0.05"), (1500.0, 500.0, "1,500"), (2.5e7, 5e6, "25.0 M"),
     (3e-7, 1e-7, "3e−07")],
)  # fmt: skip
def test_a_tick_has_as_many_decimals_as_its_step(value: float, step: float, text: str):
    assert tick_text(value, step) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (NAN, "–"),
        (INF, "∞"),
        (-INF, "−∞"),
        (3.0, "3"),
        (1234.5, "1,234"),
        (-0.04567, "−0.04567"),
        (14.959, "14.96"),
    ],
)
def test_a_number_in_a_table_has_four_digits(value: float | None, text: str):
    assert number_text(value) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((7.1, 26.09, 0.01), ("7.10", "26.09", "0.01")),
        ((31.0, 83.2), ("31.0", "83.2")),
        ((2.0, 3.0), ("2", "3")),
        ((0.0123, 26.09), ("0.0123", "26.09")),
        ((512.0, 3072.0), ("512", "3,072")),
        ((1.5, NAN, INF, -0.25), ("1.50", "–", "∞", "−0.25")),
        ((0.0, 0.0), ("0", "0")),
        ((), ()),
    ],
)
def test_numbers_of_a_column_have_equal_decimals_where_that_hides_nothing(values: tuple, texts: tuple):
    assert number_texts(values) == texts


# -- charts over numbers


def test_a_line_runs_through_its_values_from_left_to_right():
    root = _drawn(_chart(y_from_zero=True))
    (line,) = [e for e in root.iter() if e.tag == "polyline"]
    points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
    (x1, y1), (x2, y2), (x3, y3) = points
    assert x1 < x2 < x3
    assert y2 < y3 < y1, "the larger a value, the higher it stands"
    assert x2 - x1 == pytest.approx(x3 - x2, abs=0.02)
    assert (y1 - y2) == pytest.approx(2 * (y3 - y2), abs=0.05), "10 to 20 is twice 15 to 20"


def test_a_missing_value_breaks_the_line_and_hides_no_other():
    root = _drawn(_chart("line", _series(A, (1.0, 2.0, 3.0, 4.0, 5.0), (1.0, 2.0, NAN, 4.0, 5.0))))
    lines = [e.attrib["points"].split() for e in root.iter() if e.tag == "polyline"]
    assert [len(line) for line in lines] == [2, 2]
    assert len(_of_class(root, "mark")) == 4 + 1  # and one in the legend


def test_a_missing_interval_breaks_the_band():
    x, y = (1.0, 2.0, 3.0, 4.0, 5.0), (1.0, 2.0, 3.0, 4.0, 5.0)
    low, high = (0.5, 1.5, NAN, 3.5, 4.5), (1.5, 2.5, 3.5, 4.5, 5.5)
    assert len(_of_class(_drawn(_chart("line", _series(A, x, y, low=low, high=high))), "band")) == 2


def test_an_interval_without_end_is_clipped_at_the_edge_of_the_plane():
    chart = _chart("dot", _series(A, (1.0, 2.0), (10.0, 20.0), low=(-INF, 15.0), high=(12.0, INF)))
    root = _drawn(chart)
    _numbers(root)
    whiskers = [e.attrib["d"] for e in _of_class(root, "line") if e.tag == "path"]
    assert len(whiskers) == 2
    ticks = [float(e.attrib["y1"]) for e in root.iter() if e.tag == "line" and e.attrib["y1"] == e.attrib["y2"]]
    bottom, top = max(ticks), min(ticks)
    ends = [float(v) for d in whiskers for v in re.findall(r"M\S+ (\S+)V", d) + re.findall(r"V([\d.]+)", d)]
    assert min(ends) == pytest.approx(top, abs=0.02)
    assert max(ends) == pytest.approx(bottom, abs=0.02)


@pytest.mark.parametrize("kind", ["line", "dot", "bar"])
@pytest.mark.parametrize("width", [680.0, 330.0])
@pytest.mark.parametrize(
    "series",
    [
        (_series(A, (1.0,), (5.0,)),),
        (_series(A, (1.0,), (5.0,), low=(4.0,), high=(6.0,)),),
        (_series(A, (1.0, 2.0), (5.0, 5.0)),),
        (_series(A, (1.0, 2.0), (0.0, 0.0)),),
        (_series(A, (3.0, 3.0), (1.0, 2.0)),),
        (_series(A, (1.0, 2.0), (NAN, 5.0), low=(NAN, NAN), high=(NAN, NAN)),),
        (_series(A, (NAN, 2.0), (1.0, 5.0)),),
        (_series(A, (1.0, INF), (1.0, 5.0)),),
        (_series(A, (1.0, 2.0), (INF, 5.0)),),
        (_series(A, (1.0, 2.0), (-3.0, 5.0), low=(-INF, 4.0), high=(-2.0, INF)),),
        (_series(A, (), ()), _series(B)),
        (_series(A, (1.0, 2.0), (1e-9, 2e-9)), _series(B, (1.0, 2.0), (1e9, 2e9))),
        (_series(A, ("one", "two"), (1.0, 2.0)),),
        (_series(A, ("one",), (1.0,)), _series(B, ("two",), (2.0,))),
        (_series(A, ("a very long category, of many words, that fits nowhere",), (1.0,)),),
        tuple(_series(f"series {i}") for i in range(12)),
    ],
    ids=range(16),
)
def test_no_series_breaks_a_picture(kind: str, width: float, series: tuple[Series, ...]):
    root = _drawn(_chart(kind, *series), width)
    assert _numbers(root)
    assert float(root.attrib["width"]) == width
    assert [e.text for e in root][:2] == ["Title", "What it shows."]


@pytest.mark.parametrize("y", [(), (NAN,), (INF, NAN)])
def test_a_chart_of_nothing_is_no_picture(y: tuple[float, ...]):
    chart = _chart("line", _series(A, tuple(float(i) for i in range(len(y))), y))
    assert draw_chart(chart, width=680.0, contenders=(A, B), key="k") == ""


def test_an_unknown_kind_is_refused_by_name():
    with pytest.raises(NetversusError, match="'Title' is 'pie'"):
        draw_chart(_chart("pie"), width=680.0, contenders=(), key="k")


def test_a_long_line_is_thinned_keeps_its_end_and_says_so():
    n = 5000
    chart = _chart("line", _series(A, tuple(map(float, range(n))), tuple(map(float, range(n)))))
    root = _drawn(chart)
    (line,) = [e for e in root.iter() if e.tag == "polyline"]
    places = [float(point.partition(",")[0]) for point in line.attrib["points"].split()]
    assert len(places) <= 401
    assert places[-1] == max(places)
    assert drawn_part(chart) == "The picture shows every 13th point; the table holds all."


# -- rows of bars and dots


def test_bars_begin_at_nought_and_are_as_long_as_their_values():
    root = _drawn(_chart("bar", _series(A, ("one", "two"), (10.0, 20.0))))
    bars = [e for e in _of_class(root, "mark") if e.tag == "rect"][1:]  # the first is the legend's
    one, two = (float(e.attrib["width"]) for e in bars)
    assert two == pytest.approx(2 * one, abs=0.03)
    assert bars[0].attrib["x"] == bars[1].attrib["x"]


def test_the_number_of_a_negative_bar_stands_beside_it_and_not_on_it():
    root = _drawn(_chart("bar", _series(A, ("one", "two"), (-10.0, 20.0))))
    bar = [e for e in _of_class(root, "mark") if e.tag == "rect"][1]
    (number,) = [e for e in root.iter() if e.tag == "text" and e.text == "−10"][-1:]
    assert float(number.attrib["x"]) > float(bar.attrib["x"]) + float(bar.attrib["width"])


def test_many_categories_are_cut_and_the_cut_is_said():
    names = tuple(f"class {i}" for i in range(100))
    chart = _chart("bar", _series(A, names, tuple(map(float, range(100)))))
    said = _texts(_drawn(chart))
    assert "class 39" in said
    assert "class 40" not in said
    assert drawn_part(chart) == "The picture shows the first 40 of 100; the table holds all."


def test_a_picture_that_shows_all_says_nothing():
    assert drawn_part(_chart()) == ""


# -- who is who


def test_a_contender_looks_the_same_wherever_it_is_shown():
    both, alone = identities([B, A], [A, B]), identities([B], [A, B])
    assert both == (Identity(1), Identity(0))
    assert alone == (Identity(1),)


def test_what_is_no_contender_is_a_grey_reference_beside_one():
    looks = identities([A, "guessing"], [A, B])
    assert looks[1].reference
    assert looks[1].colour == "reference"
    assert not any(look.reference for look in identities(["x", "y"], [A, B]))


def test_twenty_contenders_differ_in_colour_shape_or_dash():
    looks = {(look.colour, look.shape, look.dash) for look in map(Identity, range(20))}
    assert len(looks) == 20
    assert len({str(draw_marker(i)) for i in range(20)}) == 20


def test_a_name_that_is_too_long_keeps_both_its_ends():
    text = shortened("file:a/very/long/path/to/some/weights.safetensors", 120.0)
    assert text_width(text) <= 120.0
    assert text.startswith("file:")
    assert text.endswith("sors")
    assert "…" in text
    assert shortened("short", 120.0) == "short"


def test_names_that_hold_markup_or_hidden_marks_are_text():
    root = _drawn(_chart("line", _series("<b>\u202e&</b>\x00")))
    assert "<b>\\u202e&</b>\\x00" in _texts(root)


# -- heat maps


def _heatmap(*values: tuple, columns: tuple[str, ...] = ("x", "y"), **changes: object) -> Heatmap:
    rows = tuple(f"row {i}" for i in range(len(values)))
    return replace(Heatmap("Alike", A, B, rows, columns, values, "What is alike."), **changes)  # type: ignore[arg-type]


def _grid(heatmap: Heatmap, width: float = 680.0) -> Element:
    return fromstring(str(draw_heatmap(heatmap, width=width, key="k")))


def test_a_field_is_the_darker_the_higher_its_number_and_the_number_is_written_in_it():
    root = _grid(_heatmap((0.0, 0.25), (0.5, 1.0)))
    assert [float(e.attrib["fill-opacity"]) for e in _of_class(root, "field")] == [0, 0.12, 0.25, 0.5]
    assert {"0.00", "0.25", "0.50", "1.00"} <= set(_texts(root))


def test_beyond_the_scale_a_field_is_as_its_end_and_what_is_absent_is_no_zero():
    root = _grid(_heatmap((-0.5, 7.0), (None, NAN)))
    assert [float(e.attrib["fill-opacity"]) for e in _of_class(root, "field")] == [0, 0.5, 0, 0]
    assert {"−0.50", "7.00"} <= set(_texts(root))
    assert _texts(root).count("–") == 2


@pytest.mark.parametrize("width", [680.0, 330.0])
@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_heat_map_stays_within_its_picture_and_long_names_are_told_below(width: float, size: int):
    names = tuple(f"a stage with a rather long name, {i}" for i in range(size))
    root = _grid(_heatmap(*((0.5,) * size,) * size, columns=names), width)
    for field in _of_class(root, "field"):
        assert float(field.attrib["x"]) + float(field.attrib["width"]) <= width
        assert float(field.attrib["y"]) + float(field.attrib["height"]) <= float(root.attrib["height"])
    assert any(text.startswith("1: a ") for text in _texts(root))


def test_what_a_heat_map_leaves_out_is_said():
    assert left_out(_heatmap(*((0.5,) * 2,) * 24)) == ""
    assert "first 24 of 25" in left_out(_heatmap(*((0.5,) * 2,) * 25))


def test_a_heat_map_without_a_number_draws_nothing():
    assert draw_heatmap(_heatmap((None, NAN)), width=680.0, key="k") == ""


# -- diagrams


def _diagram(*rows: tuple[Block, ...]) -> Diagram:
    return Diagram("Networks", tuple((name, blocks) for name, blocks in zip((A, B), rows, strict=False)), "Two.")


def _sketch(diagram: Diagram, width: float = 680.0) -> Element:
    return fromstring(str(draw_diagram(diagram, width=width, contenders=(A, B), key="k")))


def test_a_diagram_draws_one_box_a_block_and_marks_those_that_others_lack():
    root = _sketch(_diagram((Block("stem", 1), Block("stage 3", 6)), (Block("stem", 1), Block("stage 3", 23, "", 17))))
    assert len(_of_class(root, "unit")) == 1 + 6 + 1 + 23
    assert len(_of_class(root, "extra")) == len(_of_class(root, "plus")) == 17
    assert {e.attrib["class"] for e in _of_class(root, "extra")} == {"unit extra c1"}


def test_stages_are_aligned_between_the_rows():
    root = _sketch(_diagram((Block("stem", 1), Block("body", 2)), (Block("stem", 1), Block("body", 40))))
    frames = [e.attrib["x"] for e in _of_class(root, "frame")]
    assert frames == frames[:2] * 2


@pytest.mark.parametrize("width", [680.0, 330.0])
@pytest.mark.parametrize(
    "rows",
    [
        ((Block("a", 0),), (Block("a", 1000, "many", 2000),)),
        ((Block("a", 1), Block("b", 1), Block("c", 1)), (Block("a", 1),)),
        ((), (Block("a", 3),)),
        (tuple(Block(f"stage {i}", 9, "a long detail of this stage") for i in range(30)),),
        ((Block("\x00<b>" * 40, 1, "\u202e"),),),
    ],
    ids=range(5),
)
def test_no_blocks_break_a_diagram(width: float, rows: tuple[tuple[Block, ...], ...]):
    root = _sketch(_diagram(*rows), width)
    _numbers(root)
    boxes = [e for e in root.iter() if e.tag == "rect"]
    assert all(float(e.attrib["x"]) + float(e.attrib["width"]) <= width + 1 for e in boxes)
    height = float(root.attrib["height"])
    assert all(float(e.attrib["y"]) + float(e.attrib["height"]) <= height for e in boxes)


def test_a_diagram_of_nothing_is_no_picture():
    assert draw_diagram(_diagram((), ()), width=680.0, contenders=(A, B), key="k") == ""


# -- the interval of a finding


def _finding(**changes: object) -> Finding:
    top1 = example_view().sections[2].findings[0]
    return replace(top1, **changes)  # type: ignore[arg-type]


def _interval(finding: Finding) -> Element:
    return fromstring(str(draw_interval(finding, (Identity(0), Identity(1)))))


def _span(root: Element) -> tuple[float, float]:
    (span,) = _of_class(root, "span")
    left, right = re.match(r"M([\d.]+) [\d.]+H([\d.]+)", span.attrib["d"]).groups()  # type: ignore[union-attr]
    return float(left), float(right)


def test_what_favours_b_lies_to_the_right_whichever_way_is_better():
    higher = _finding(effect=Effect(0.05, 0.03, 0.07, 0.95), verdict=Verdict.B_BETTER)
    lower = replace(higher, direction=Direction.LOWER, effect=Effect(-0.05, -0.07, -0.03, 0.95))
    assert _span(_interval(higher)) == _span(_interval(lower))
    assert min(_span(_interval(higher))) > WIDTH / 2
    ratio = replace(
        higher, scale=Scale.RATIO, direction=Direction.LOWER, effect=Effect(1.8, 1.7, 1.9, 0.95), margin=0.05
    )
    assert max(_span(_interval(ratio))) < WIDTH / 2, "B takes longer: that speaks for A"


def test_the_mark_is_the_better_contenders_or_an_open_circle():
    better = _interval(_finding(verdict=Verdict.B_BETTER))
    assert _of_class(better, "mark")[0].attrib["class"] == "mark c1"
    assert _of_class(_interval(_finding(verdict=Verdict.UNDECIDED)), "open")
    assert not _of_class(_interval(_finding(verdict=Verdict.UNDECIDED)), "mark")


def test_an_interval_without_end_reaches_the_edge_and_no_further():
    left, right = _span(_interval(_finding(effect=Effect(0.01, -INF, INF, 0.95))))
    assert 0 < left < WIDTH / 4
    assert WIDTH * 3 / 4 < right < WIDTH
    ratio = _finding(scale=Scale.RATIO, effect=Effect(1.2, 0.0, INF, 0.95), margin=0.05)
    assert _span(_interval(ratio)) == (left, right)


@pytest.mark.parametrize(
    "effect", [None, Effect(NAN, NAN, NAN, 0.95), Effect(INF, 0.0, INF, 0.95)], ids=["none", "nan", "infinite"]
)
def test_without_a_finite_estimate_there_is_no_picture(effect: Effect | None):
    assert draw_interval(_finding(effect=effect), (Identity(0), Identity(1))) == ""


def test_a_difference_of_exactly_nought_without_a_margin_is_drawn():
    root = _interval(_finding(effect=Effect(0.0, 0.0, 0.0, 0.95), margin=0.0))
    _numbers(root)
    assert _span(root) == (WIDTH / 2, WIDTH / 2)
    assert not _of_class(root, "margin")


def test_the_margin_is_as_wide_as_it_is_on_the_scale_of_the_interval():
    root = _interval(_finding(effect=Effect(0.0, -0.02, 0.02, 0.95), margin=0.02))
    (band,) = _of_class(root, "margin")
    left, right = _span(root)
    assert float(band.attrib["x"]) == pytest.approx(left, abs=0.02)
    assert float(band.attrib["width"]) == pytest.approx(right - left, abs=0.02)


def test_the_interval_is_described_in_words():
    (desc,) = [e for e in _interval(_finding()).iter() if e.tag == "desc"]
    assert desc.text == (
        "resnet101@scratch against resnet50@scratch: +0.9 points, 95 % interval [−0.6, +2.4 points], margin ± 2 points"
    )
