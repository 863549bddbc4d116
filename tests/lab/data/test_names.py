from __future__ import annotations

import os

from hypothesis import example, given
from hypothesis import strategies as st

from netversus.lab.data.names import escape, unescape


@given(st.binary(min_size=1))
@example("naïve/猫.png".encode())
@example(b"new\nline\x1b[31m%41\xff\xe2\x80\xae")
def test_a_file_name_is_escaped_to_one_printable_line_and_back(raw):
    name = os.fsdecode(raw)
    assert escape(name).isprintable()
    assert unescape(escape(name)) == name


def test_letters_of_any_script_stay_readable():
    assert escape("naïve/猫 1.png") == "naïve/猫 1.png"


def test_what_does_not_print_and_the_escape_itself_are_escaped():
    assert escape("a\nb%") == "a%0Ab%25"
