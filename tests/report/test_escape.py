"""Text of others is shown whole, and never as anything but text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from netversus.report.escape import csv_text, legible, markdown_text, one_line

from .page import read_page

_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_MARKUP = st.text(
    alphabet=st.sampled_from("ab1 _*`~|\\[]()<>!#&;:$+-=.\"'/"), max_size=30
)  # few letters: what matters is how the marks meet


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x00\x1b[31m", "\\x00\\x1b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("caf\udce9", "caf\\udce9"),
        ("soft\xadhyphen", "soft\\xadhyphen"),
        ("tag\U000e0041", "tag\\U000e0041"),
        ("\u3164", "\\u3164"),
        ("a\r\nb", "a\\x0d\nb"),
        ("tab\there", "tab\there"),
        ("schön 漢字 🙂 می\u200cخواهم", "schön 漢字 🙂 می\u200cخواهم"),
    ],
)
def test_what_cannot_be_seen_is_written_as_an_escape(text: str, shown: str):
    assert legible(text) == shown


def test_a_name_is_on_one_line():
    assert one_line("a\nb\tc") == "a\\nb\\tc"


@given(st.text(max_size=40))
def test_legible_text_can_be_encoded_and_is_left_alone_the_second_time(text: str):
    shown = legible(text)
    assert legible(shown) == shown
    assert shown.encode("utf-8").decode("utf-8") == shown


@given(_MARKUP)
def test_markdown_shows_just_the_text_in_a_paragraph(text: str):
    page = read_page(_PARSER.render(markdown_text(text)))
    assert page.text.strip() == " ".join(text.split())
    assert {element.tag for element in page.walk()} <= {"", "p"}


@given(_MARKUP)
def test_markdown_shows_just_the_text_in_a_table_and_in_a_list(text: str):
    line = " ".join(text.split())
    table = read_page(_PARSER.render(f"| head |\n| --- |\n| {markdown_text(text)} |\n"))
    (cell,) = table.all("td")
    assert cell.text == line
    assert {element.tag for element in cell.walk()} == {"td"}
    (item,) = read_page(_PARSER.render(f"- {markdown_text(text)}\n")).all("li")
    assert item.text.strip() == line
    assert {element.tag for element in item.walk()} <= {"li"}


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1+cmd|' /C calc'!A0", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", '=HYPERLINK("http://evil")'],
)
def test_no_spreadsheet_takes_text_for_a_formula(text: str):
    assert csv_text(text)[0] in "'\\"
    assert csv_text(text).endswith(legible(text))


def test_plain_text_is_left_alone_in_csv():
    assert csv_text("resnet50@scratch") == "resnet50@scratch"
