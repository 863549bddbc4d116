"""What a stranger may write where a spec, a length of time or a configuration is expected: understood, or refused in
one line."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netversus.errors import NetversusError, OptionError
from netversus.lab.contenders.spec import SOURCES, parse
from netversus.lab.data import list_data
from netversus.lab.data.names import escape, unescape
from netversus.lab.data.spec import understand
from netversus.request import Request, make_request, parse_duration, read_toml

KINDS = {kind.name: kind for kind in list_data()}
ODD = "\x00\n\r\t\x1b\u202e\u2066\ud800\U000e0041%?&=@:./\\~ 'é猫"
words = st.text(st.sampled_from(ODD + "aresnet5018stagescrop"), max_size=40)
anything = st.one_of(st.text(max_size=60), words)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), anything),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(anything, inner, max_size=4)),
    max_leaves=12,
)


def one_line(error: NetversusError) -> None:
    assert len(str(error).splitlines()) == 1
    assert str(error).strip()


@given(st.one_of(anything, st.builds("{}:{}".format, st.sampled_from(SOURCES), anything)))
def test_a_contender_spec_is_understood_or_refused_and_its_canonical_form_is_stable(text: str) -> None:
    try:
        spec = parse(text)
    except NetversusError as error:
        one_line(error)
        return
    assert parse(spec.canonical) == spec
    assert parse(spec.canonical).canonical == spec.canonical


@given(st.one_of(anything, st.builds("{}{}".format, st.sampled_from([*KINDS, *(f"{k}?" for k in KINDS)]), anything)))
def test_a_data_spec_is_understood_or_refused(text: str) -> None:
    try:
        kind, opening = understand(text, KINDS, seed=0)
    except NetversusError as error:
        one_line(error)
        return
    assert kind.name in KINDS
    assert opening.spec


@given(st.dictionaries(st.sampled_from([*Request.model_fields, "x"]), values, max_size=5))
def test_a_request_is_validated_or_refused(content: dict[str, object]) -> None:
    try:
        request = make_request(content)
    except NetversusError as error:
        one_line(error)
        return
    assert Request.model_validate(request.model_dump()) == request


@given(st.one_of(st.binary(max_size=200), anything.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_a_configuration_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "request.toml"
    path.write_bytes(content)
    try:
        assert isinstance(read_toml(path), dict)
    except NetversusError as error:
        one_line(error)


@pytest.mark.parametrize("content", ["a = " + "[" * 50_000, "a = " + "{a=" * 50_000, "a." * 50_000 + "b = 1"])
def test_a_configuration_nested_without_end_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "request.toml"
    path.write_text(content)
    with pytest.raises(OptionError, match="not valid TOML"):
        read_toml(path)


@given(anything)
def test_a_length_of_time_is_a_number_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0


@given(st.one_of(anything, st.binary(max_size=30).map(os.fsdecode)))
def test_a_file_name_is_told_in_printable_signs_and_found_again(name: str) -> None:
    told = escape(name)
    assert told.isprintable() or told == ""
    try:
        os.fsencode(name)
    except UnicodeEncodeError:  # no disk has such a name; an annotation may
        return
    assert unescape(told) == name
