"""Numbers are said with their unit, in a precision that a reader can use."""

from __future__ import annotations

from math import inf

import pytest

from netversus.quantities import amount, counted, difference, duration, interval_text, margin_text, p_text, times
from netversus.records import Effect, Scale


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.8324, "%", "83.2 %"),
        (25_557_032, "parameters", "25.6 M"),
        (4.089e9, "MACs", "4.09 G"),
        (0.0392, "s", "39.2 ms"),
        (3.2e-6, "s", "3.20 µs"),
        (2.5, "s", "2.50 s"),
        (178_000_000, "bytes", "170 MiB"),
        (512, "bytes", "512 B"),
        (483, "px", "483 px"),
        (1027, "px", "1,027 px"),
        (101.0, "layers", "101 layers"),
        (85.94, "images/s", "85.9 images/s"),
        (0.1234567, "nats", "0.123 nats"),
        (2.3, "nats", "2.30 nats"),
        (123.4, "", "123"),
        (999.7, "", "1,000"),
        (2.0, "", "2"),
        (-0.5, "", "−0.500"),
        (None, "%", "–"),
        (float("nan"), "s", "–"),
        (0.0, "s", "0 ns"),
    ],
)
def test_an_amount_carries_its_unit(value: float | None, unit: str, said: str):
    assert amount(value, unit) == said


def test_a_difference_is_signed_and_percent_become_points():
    assert difference(0.012, "%") == "+1.2 points"
    assert difference(-0.012, "%") == "−1.2 points"
    assert difference(-0.0004, "%") == "−0.04 points"
    assert difference(0.0, "%") == "0.0 points"
    assert difference(-1_000_000, "parameters") == "−1.00 M"
    assert difference(-0.0889, "nats") == "−0.0889 nats"


def test_an_interval_is_said_in_the_terms_of_its_scale():
    assert interval_text(Effect(1.5, 1.4, 1.6, 0.95), Scale.RATIO, "s") == "[1.40×, 1.60×]"
    assert interval_text(Effect(0.0, -0.01, 0.02, 0.95), Scale.PROPORTION, "%") == "[−1.0, +2.0 points]"
    assert interval_text(Effect(0.1, 0.05, 0.15, 0.95), Scale.MEAN, "nats") == "[+0.0500, +0.150 nats]"
    assert interval_text(Effect(0.1, 0.05, 0.15, 0.95), Scale.MEAN, "") == "[+0.0500, +0.150]"


def test_an_interval_whose_ends_differ_in_unit_names_both():
    assert interval_text(Effect(0.5, -0.002, 1.5, 0.95), Scale.MEAN, "s") == "[−2.00 ms, +1.50 s]"
    assert interval_text(Effect(0.5, -1.2, 0.9, 0.95), Scale.MEAN, "s") == "[−1.20 s, +900 ms]"


def test_an_end_without_limit_is_said_as_infinity():
    assert interval_text(Effect(1.5, 1.4, inf, 0.95), Scale.RATIO, "s") == "[1.40×, ∞×]"
    assert interval_text(Effect(0.0, -inf, inf, 0.95), Scale.MEAN, "%") == "[−∞, +∞]"


def test_margins_and_ratios():
    assert margin_text(0.01, Scale.PROPORTION, "%") == "1 point"
    assert margin_text(0.025, Scale.PROPORTION, "%") == "2.5 points"
    assert margin_text(0.05, Scale.RATIO, "s") == "5 %"
    assert margin_text(0.05, Scale.MEAN, "nats") == "0.05 nats"
    assert margin_text(0.01, Scale.MEAN, "") == "0.01"
    assert margin_text(0.002, Scale.MEAN, "s") == "2.00 ms"
    assert times(1.4666) == "1.47×"
    assert times(14.666) == "14.7×"


def test_a_p_value_is_never_nought():
    assert p_text(1e-12) == "p < 0.001"
    assert p_text(0.0654) == "p = 0.065"
    assert p_text(0.5) == "p = 0.50"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "under 1 s"), (41, "41 s"), (360, "6 min"), (4800, "80 min"), (6000, "1 h 40 min"), (7200, "2 h")],
)
def test_durations_are_for_people(seconds: float, said: str):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("count", "name", "said"),
    [(1, "image", "1 image"), (0, "image", "0 images"), (5000, "timing block", "5,000 timing blocks"),
     (3, "class", "3 classes"), (2, "box", "2 boxes")],
)  # fmt: skip
def test_units_are_counted_in_words(count: int, name: str, said: str):
    assert counted(count, name) == said
