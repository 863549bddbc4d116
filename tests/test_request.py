"""One declaration of what can be asked, and one line for what cannot."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from netversus.errors import OptionError
from netversus.request import Request, make_request, parse_duration, read_toml


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), ("1h 2m 3s", 3723), ("0.5m", 30)],
)
def test_lengths_of_time_are_read_as_people_write_them(text: str, seconds: float):
    assert parse_duration(text) == seconds
    assert make_request({"budget": text}).budget == seconds


@pytest.mark.parametrize("text", ["", "soon", "5 minutes", "m", "-5m", "5d", "1m1h"])
def test_what_is_no_length_of_time_is_refused_with_an_example(text: str):
    with pytest.raises(OptionError, match="such as 90s, 5m or 1h30m"):
        make_request({"budget": text})


@given(st.integers(0, 99), st.integers(0, 999), st.integers(0, 9999))
def test_a_length_of_time_is_the_sum_of_its_parts(hours: int, minutes: int, seconds: int):
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds


def test_nothing_asked_is_the_default_comparison():
    request = make_request({})
    assert request.contenders == ("resnet50", "resnet101")
    assert (request.data, request.budget, request.level, request.repeats) == ("digits", None, 0.95, 1)


@pytest.mark.parametrize("values", [{}, {"budget": "5m", "margins": {"accuracy.top1": 0.02}}])
def test_a_request_survives_being_written_and_read(values: dict[str, object]):
    adapter, request = TypeAdapter(Request), make_request(values)
    assert adapter.validate_json(adapter.dump_json(request)) == request


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"contenders": ("resnet50",)}, "contenders: .*at least 2"),
        ({"contenders": ["a"] * 21}, "contenders: .*at most 20"),
        ({"budget": 0}, "budget: .*greater than 0"),
        ({"level": 1.5}, "level: .*less than 1, got 1.5"),
        ({"repeats": 0}, "repeats: .*greater than or equal to 1"),
        ({"seed": "one"}, "seed: .*integer.*'one'"),
        ({"margins": {"accuracy.top1": -1}}, r"margins\.accuracy\.top1: .*greater than or equal to 0"),
        ({"bugdet": "5m"}, "there is no setting 'bugdet'"),
    ],
)
def test_what_does_not_fit_is_one_line(values: dict[str, object], said: str):
    with pytest.raises(OptionError, match=said) as raised:
        make_request(values)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_toml_file_says_the_same_as_python(tmp_path: Path):
    file = tmp_path / "netversus.toml"
    file.write_text('contenders = ["resnet18", "resnet34"]\nbudget = "5m"\n[options.training]\nbatch = 16\n')
    expected = {"contenders": ("resnet18", "resnet34"), "budget": 300, "options": {"training": {"batch": 16}}}
    assert make_request(read_toml(file)) == make_request(expected)


@pytest.mark.parametrize("content", [b"budget = ", b"\xff\xfe"])
def test_a_broken_toml_file_is_named(tmp_path: Path, content: bytes):
    file = tmp_path / "netversus.toml"
    file.write_bytes(content)
    with pytest.raises(OptionError, match=r"netversus\.toml is not valid TOML"):
        read_toml(file)


def test_a_missing_toml_file_is_named(tmp_path: Path):
    with pytest.raises(OptionError, match=r"cannot read the configuration .*absent\.toml: No such file"):
        read_toml(tmp_path / "absent.toml")
