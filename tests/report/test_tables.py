"""What an exhibit's numbers look like in rows and columns."""

from __future__ import annotations

import math

import pytest

from netversus.exhibits import Block, Chart, Diagram, Heatmap, Series, Table
from netversus.report.tables import MOST_ROWS, cell_text, chart_text, diagram_text, heatmap_text, table_text

NAN = math.nan


def _chart(*series: Series) -> Chart:
    return Chart("t", "line", "step", "y", series, "d")


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, ".1f", "–"),
        (NAN, ".1f", "–"),
        (math.inf, "", "∞"),
        (-math.inf, ".1f", "−∞"),
        (-1.25, ".1f", "−1.2"),
        (1234, ",d", "1,234"),
        (0.5, ",d", "0.5"),
        ("word", ".1f", "word"),
        (1234.5678, "", "1,235"),
        (1e-200, ".2g", "1e-200"),
    ],
)
def test_a_cell_is_formatted_as_its_study_wants_or_shown_as_it_is(value: object, form: str, text: str):
    assert cell_text(value, form) == text  # type: ignore[arg-type]


def test_a_table_aligns_numbers_and_keeps_short_texts_whole():
    table = table_text(
        Table("t", ("name", "n", "interval", "words"), (("a", 1, "[1, 2]", "x" * 40), ("b", None, "–", "")))
    )
    assert table.numeric == (False, True, False, False)
    assert table.short == (True, True, True, False)
    assert table.rows[1] == ("b", "–", "–", "")


def test_a_long_table_is_cut_and_counts_what_is_left_out():
    table = table_text(Table("t", ("n",), tuple((i,) for i in range(MOST_ROWS + 7))))
    assert (len(table.rows), table.left_out) == (MOST_ROWS, 7)


def test_a_charts_numbers_have_a_row_an_x_in_ascending_order():
    table = chart_text(_chart(Series("a", (20.0, 10.0), (2.0, 1.0)), Series("b", (15.0, 20.0), (1.55, NAN))))
    assert table.columns == ("step", "a", "b")
    assert table.rows == (("10", "1.00", "–"), ("15", "–", "1.55"), ("20", "2.00", "–"))
    assert table.numeric == (True, True, True)


def test_categories_keep_the_order_of_first_sight():
    table = chart_text(_chart(Series("a", ("late", "early"), (1.0, 2.0)), Series("b", ("other",), (3.0,))))
    assert [row[0] for row in table.rows] == ["late", "early", "other"]
    assert table.numeric[0] is False


def test_intervals_stand_behind_their_series():
    table = chart_text(_chart(Series("a", (1.0,), (2.0,), low=(1.5,), high=(math.inf,)), Series("b", (1.0,), (3.0,))))
    assert table.columns == ("step", "a", "a, interval", "b")
    assert table.rows == (("1", "2", "[1.5, ∞]", "3"),)


def test_a_long_chart_is_cut_after_sorting():
    n = MOST_ROWS + 3
    table = chart_text(_chart(Series("a", tuple(float(n - i) for i in range(n)), (1.0,) * n)))
    assert table.rows[0][0] == "1"
    assert (len(table.rows), table.left_out) == (MOST_ROWS, 3)


def test_a_chart_of_nothing_is_a_table_without_rows():
    assert chart_text(_chart()).rows == ()
    assert chart_text(_chart(Series("a", (), ()))).rows == ()


def test_a_diagram_has_a_row_a_stage_and_a_dash_where_one_has_none():
    rows = (("a", (Block("stem", 1, "64"), Block("body", 3, "128"))), ("b", (Block("stem", 1, "64"),)))
    table = diagram_text(Diagram("t", rows, "d"))
    assert table.columns == ("stage", "a: blocks", "b: blocks")
    assert table.rows == (("stem", "1 (64)", "1 (64)"), ("body", "3 (128)", "–"))


def test_a_block_without_a_detail_has_no_empty_brackets():
    assert diagram_text(Diagram("t", (("a", (Block("stem", 1),)),), "d")).rows == (("stem", "1"),)


def test_a_heat_maps_numbers_have_a_row_a_row_and_what_is_absent_is_a_dash():
    table = heatmap_text(Heatmap("t", "a", "b", ("one", "two"), ("x", "y"), ((1.0, -0.014), (None, 0.5)), "d"))
    assert table.columns == ("a (down), b (across)", "x", "y")
    assert table.rows == (("one", "1.00", "−0.01"), ("two", "–", "0.50"))
    assert table.numeric == (False, True, True)


def test_a_table_of_sentences_is_wordy_and_one_of_numbers_is_not():
    sentence = "a sentence that no phone can show beside two other columns"
    assert table_text(Table("t", ("a", "b", "c"), (("x", 1, sentence),))).wordy
    assert not table_text(Table("t", ("a", "b"), (("x", sentence),))).wordy, "two columns fit"
    assert not table_text(Table("t", ("a", "b", "c"), (("x", 1, 2),))).wordy
