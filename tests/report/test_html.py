"""The HTML report: one file that asks for nothing, shows everything, and takes no text for markup."""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from netversus.exhibits import Chart, Diagram, Series, Table
from netversus.records import Done, Failed, Scale, Skipped, Verdict
from netversus.report import csv_file
from netversus.report.escape import legible, one_line
from netversus.report.html import render
from netversus.report.sidecar import Sidecar
from netversus.report.svg.marker import HATCHES
from netversus.report.view import ReportView

from .conftest import PNG, A, B
from .hostile import HARMLESS, PAYLOADS, poisoned
from .page import Element, read_page, squeezed

CSP = re.compile(
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[^']+' 'sha256-[^']+'; img-src data:; "
    "base-uri 'none'; form-action 'none'"
)
DATA = re.compile(r"data:(image/(png|jpeg|gif|webp)|text/csv|application/gzip);base64,[A-Za-z0-9+/]+=*")


@pytest.fixture(scope="module", params=["two", "many"])
def shown(request: pytest.FixtureRequest) -> tuple[ReportView, str]:
    from .conftest import example_of_many, example_view

    view = example_view() if request.param == "two" else example_of_many()
    return view, render(view)


def _says(page: Element, text: str) -> bool:
    return squeezed(legible(text)) in squeezed(page.text) or squeezed(one_line(text)) in squeezed(page.text)


# -- one file that asks for nothing


def test_the_page_loads_nothing_and_holds_no_handler(shown: tuple[ReportView, str]):
    page = read_page(shown[1])
    assert not page.all("link", "iframe", "object", "embed", "base", "video", "audio", "use")
    for element in page.walk():
        for name, value in element.attributes.items():
            assert not name.startswith("on"), (element.tag, name)
            assert name not in ("srcset", "action", "formaction", "xlink:href", "ping"), (element.tag, name)
            if name == "src":
                assert element.tag == "img"
                assert DATA.fullmatch(value), value[:80]
                continue
            if name == "href":
                assert value.startswith("#") or (DATA.fullmatch(value) and "download" in element.attributes), value
                continue
            assert not re.match(r"(?i)\s*(https?:|//|javascript:|data:)", value), (element.tag, name, value)


def test_the_style_loads_nothing(shown: tuple[ReportView, str]):
    (style,) = read_page(shown[1]).all("style")
    assert "@import" not in style.own_text
    assert "url(" not in style.own_text
    assert "</" not in style.own_text


def test_a_strict_policy_stands_before_all_that_it_governs(shown: tuple[ReportView, str]):
    (head,) = read_page(shown[1]).all("head")
    metas = head.all("meta")
    assert metas[0].attributes == {"charset": "utf-8"}
    assert metas[1].attributes["http-equiv"] == "Content-Security-Policy"
    assert CSP.fullmatch(metas[1].attributes["content"])


def test_the_policy_names_each_script_by_its_digest_and_no_other(shown: tuple[ReportView, str]):
    page = read_page(shown[1])
    policy = page.all("meta")[1].attributes["content"]
    scripts = [s.own_text for s in page.all("script") if s.attributes.get("type") != "application/json"]
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert re.findall(r"'sha256-([^']+)'", policy) == digests


def test_the_page_is_small_and_utf_8(shown: tuple[ReportView, str]):
    assert shown[1].startswith("<!DOCTYPE html>")
    assert len(shown[1].encode("utf-8")) < 400_000


def test_the_same_view_gives_the_same_page(view: ReportView):
    assert render(view) == render(view)


# -- no text is taken for markup


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_text_of_a_view_becomes_markup(view: ReportView, payload: str):
    spare = frozenset({"method"})
    clean, attacked = (read_page(render(poisoned(view, each, spare=spare))) for each in (HARMLESS, payload))
    assert _tags(attacked) == _tags(clean)
    assert {n for e in attacked.walk() for n in e.attributes} <= {n for e in clean.walk() for n in e.attributes}


def _tags(page: Element) -> tuple[Counter[str], set[str]]:
    """How many elements of each kind there are, but for those that only say where a line may break; and of what kinds
    the pictures are made, which may hold more or fewer of each where a label is longer."""
    drawn = [e for svg in page.all("svg") for e in svg.walk()]
    inside = {id(e) for e in drawn}
    others = (e for e in page.walk() if id(e) not in inside and e.tag != "wbr" and e.attributes.get("class") != "word")
    return Counter(e.tag for e in others), {e.tag for e in drawn}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_method_text_brings_no_html_of_its_own(view: ReportView, payload: str):
    sections = tuple(replace(section, method=f"# title\n\nplain {payload}") for section in view.sections)
    page = read_page(render(replace(view, sections=sections)))
    assert not page.all("iframe")
    assert len(page.all("script")) == len(read_page(render(view)).all("script"))
    assert not [e for e in page.all("img") if not e.attributes["src"].startswith("data:image/png;base64,")]
    assert not [e for e in page.walk() if "onmouseover" in e.attributes or "onerror" in e.attributes]
    assert all(e.attributes["href"].startswith("#") or "download" in e.attributes for e in page.all("a"))


def test_hostile_names_are_shown_as_what_they_are(view: ReportView):
    page = read_page(render(view))
    for text in ("<script>alert(1)</script>.png", "train/=HYPERLINK(|evil|).jpg", "train/two\\nlines \\u202egnp.exe",
                 "train/caf\\udce9.png", "nine | <b>9</b>", "Traceback <most recent>"):  # fmt: skip
        assert text in page.text, text


def test_what_hides_or_reorders_text_is_nowhere_in_the_page(view: ReportView):
    html = render(poisoned(view, PAYLOADS[-1]))
    for character in "\u202e\u2066\u200b\xad\x00\x1b\udc80\U000e0041":
        assert character not in html
    assert "\\u202e" in html


# -- everything is shown


def test_every_finding_is_shown_with_its_words_and_its_expert_words(shown: tuple[ReportView, str]):
    view, html = shown
    page = read_page(html)
    for finding in view.findings:
        if not finding.slice:
            for words in (finding.sentence, finding.expert, *finding.caveats):
                assert _says(page, words), words
        else:
            assert _says(page, finding.slice)


@pytest.mark.parametrize("verdict", [Verdict.DESCRIBED, Verdict.UNDECIDED])
def test_what_must_be_known_of_several_findings_is_said_once(view: ReportView, verdict: Verdict):
    section = view.sections[2]
    finding = next(f for f in view.findings if f.study == section.name and not f.slice)
    both = tuple(
        replace(finding, metric=metric, verdict=verdict, scale=Scale.MEAN, caveats=("one seed", *more))
        for metric, more in (("first", ("few images",)), ("second", ()))
    )
    page = read_page(render(replace(view, sections=(replace(section, findings=both),))))
    said = [squeezed(each.text) for each in page.of_class("caveat")]
    assert said.count("For all of these: one seed") == 1
    assert said.count("one seed") == 0
    assert said.count("few images") == 1


def test_every_question_stands_in_the_score_card_also_those_without_a_finding(view: ReportView):
    (card,) = [e for e in read_page(render(view)).all("section") if e.attributes["id"] == "score-card"]
    for section in view.sections:
        for question in section.questions:
            assert _says(card, question.asks), question.asks
    assert _says(card, "nothing was observed that could be compared")
    assert _says(card, "training left the real numbers at step 41")
    assert _says(card, "the machine is not quiet")


def test_the_headline_comes_first_then_three_reasons_then_what_speaks_against_believing(view: ReportView):
    (header,) = read_page(render(view)).all("header")
    (h1,) = header.all("h1")
    assert squeezed(h1.text) == view.headline
    (reasons,) = header.of_class("reasons")
    assert [squeezed(li.text) for li in reasons.all("li")] == list(view.reasons)
    assert len(view.reasons) == 3
    assert [squeezed(p.text) for p in header.of_class("caveat")] == list(view.caveats)
    order = [e.attributes.get("class", e.tag) for e in header.walk()]
    assert order.index("h1") < order.index("reasons") < order.index("caveat")


@pytest.mark.parametrize("headline", ["Take A: it is better.", "选择 A：它更好。"])
def test_the_advice_of_the_headline_is_stronger_than_what_follows(view: ReportView, headline: str):
    page = read_page(render(replace(view, headline=headline)))
    (rest,) = page.all("h1")[0].all("span")
    assert rest.text.strip() in ("it is better.", "它更好。")
    assert page.all("h1")[0].text == headline


def test_no_line_ends_within_top_1_and_a_question_brings_no_markup(view: ReportView):
    section = view.sections[2]
    asked = (replace(section.questions[0], asks="Whose top-1 is <b>higher</b>?"), *section.questions[1:])
    sections = (*view.sections[:2], replace(section, questions=asked), *view.sections[3:])
    page = read_page(render(replace(view, sections=sections)))
    heads = [head for head in page.all("th") if "Whose top-1" in head.text]
    assert heads
    for head in heads:
        assert "Whose top-1 is <b>higher</b>?" in head.text
        assert head.all("b") == []
    assert ["top-1"] in [[part.text for part in head.all("span")] for head in heads]


def test_every_ending_that_is_not_done_is_shown_with_its_reason(view: ReportView):
    page = read_page(render(view))
    for section in view.sections:
        for _, outcome in section.cells:
            if isinstance(outcome, Failed):
                assert _says(page, outcome.error)
                assert _says(page, outcome.details)
            if isinstance(outcome, Skipped):
                assert _says(page, outcome.reason)


def test_a_cell_that_has_not_ended_is_shown_as_unfinished(view: ReportView):
    accuracy = view.sections[2]
    cells = ((accuracy.cells[0][0], None), *accuracy.cells[1:])
    page = read_page(render(replace(view, sections=(replace(accuracy, cells=cells, findings=()),))))
    assert _says(page, "unfinished")
    assert _says(page, "the run has not come to it yet")


def test_every_skipped_file_is_named_with_its_reason(view: ReportView):
    page = read_page(render(view))
    for file in view.data.skipped:
        assert _says(page, file.path), file.path
        assert _says(page, file.reason)


def test_trust_contenders_data_and_provenance_are_shown(view: ReportView):
    page = read_page(render(view))
    said = [view.multiplicity, *view.cuts, view.rerun, view.data.digest, *view.data.notes, *view.data.factors,
            "95 %: a verdict is wrong at most 1 time in 20", "7 of 9 cells were measured whole",
            "accuracy.top1: ± 2 points; it was ± 1 point when the run was planned and was changed afterwards.",
            "2.15.0, then 2.15.1", "crop 32 px"]  # fmt: skip
    said += [words for card in view.contenders for words in (card.name, card.digest, card.architecture, *card.notes)]
    said += [words for session in view.sessions for words in (session.command, *session.versions, *session.machine)]
    said += [section.rerun for section in view.sections]
    for words in said:
        assert _says(page, words), words


def test_what_differs_between_the_contenders_is_shown_and_the_rest_is_folded(view: ReportView):
    (section,) = [e for e in read_page(render(view)).all("section") if e.attributes["id"] == "contenders"]
    differing, shared = section.all("table")
    assert [squeezed(row.all("th")[0].text) for row in differing.all("tr")[1:]] == [
        "named as",
        "architecture",
        "notes",
        "digest",
    ]
    (folded,) = section.all("details")
    assert folded.all("table") == [shared]
    assert "preprocessing" in {squeezed(row.all("th")[0].text) for row in shared.all("tr")[1:]}


def test_a_study_without_anything_says_so(view: ReportView):
    empty = replace(view.sections[2], findings=(), exhibits=())
    page = read_page(render(replace(view, sections=(empty,))))
    assert _says(page, "There is nothing to show: no cell of this study was measured whole.")


def test_several_contenders_get_a_grid_that_speaks_for_its_rows(view_of_many: ReportView):
    page = read_page(render(view_of_many))
    (grid,) = page.of_class("grid-table")
    names = [card.name for card in view_of_many.contenders]
    said = {squeezed(row.all("th")[0].text): [squeezed(td.text) for td in row.all("td")] for row in grid.all("tr")[1:]}
    assert list(said) == names
    assert said[names[0]] == ["–", "▼ worse", "▼ worse", "▼ worse"]
    assert said[names[3]] == ["▲ better", "▲ better", "= practically the same", "–"]
    assert len(page.of_class("score")) == 6


def test_two_contenders_need_no_grid(view: ReportView):
    page = read_page(render(view))
    assert not page.of_class("grid-table")
    assert len(page.of_class("score")) == 1


def test_what_would_turn_the_verdict_stands_under_the_reasons(view: ReportView):
    (header,) = read_page(render(view)).all("header")
    (flips,) = header.of_class("flips")
    assert [squeezed(li.text) for li in flips.all("li")] == list(view.flips)
    assert len(view.flips) == 3


def test_the_findings_and_few_observations_can_be_taken_away(view: ReportView):
    page = read_page(render(replace(view, observations="study,value\naccuracy,1.0\n")))
    files = {
        a.attributes["download"]: a.attributes["href"].partition(",")[2]
        for a in page.all("a")
        if "download" in a.attributes
    }
    assert base64.b64decode(files["findings.csv"]).decode() == csv_file.render(view)
    assert gzip.decompress(base64.b64decode(files["observations.csv.gz"])) == b"study,value\naccuracy,1.0\n"
    assert _says(page, f"lie in the run folder {view.run_id}, under cells/")


def test_observations_that_are_too_many_stay_in_the_run_folder(view: ReportView):
    page = read_page(render(view))
    assert [a.attributes["download"] for a in page.all("a") if "download" in a.attributes] == ["findings.csv"]


# -- pictures


def test_a_gallery_shows_every_picture_with_its_words(view: ReportView):
    plain, boxes = read_page(render(view)).of_class("gallery")
    assert [img.attributes["alt"] for img in plain.all("img")] == ["a three", "a nine", "another nine"]
    assert all(
        img.attributes["src"] == f"data:image/png;base64,{base64.b64encode(PNG).decode()}" for img in plain.all("img")
    )
    assert "<b>nine</b>: B is right" in plain.text
    assert [squeezed(o.text) for o in plain.all("option")] == [
        *("all pictures", "only A is right (1)", "class 3 (1)", "only B is right (2)", "class <b>9</b> (2)")
    ]
    assert [squeezed(th.text) for th in boxes.all("th")] == [A, B]
    assert [len(row.all("td")) for row in boxes.all("tr")[1:]] == [2, 2]
    assert not boxes.all("option"), "pictures without tags have no filter"


def test_marks_differ_in_stroke_and_colour_and_are_counted_in_words(view: ReportView):
    boxes = read_page(render(view)).of_class("gallery")[1]
    assert [squeezed(words.text) for words in boxes.of_class("under")] == [
        *("1 right", "1 right, 1 wrong", "1 right, 1 wrong, 1 missed")
    ]
    last = boxes.of_class("marks")[-1]
    looks = {
        rect.attributes["class"]: rect.attributes["stroke-dasharray"]
        for rect in last.all("rect")
        if "stroke-dasharray" in rect.attributes
    }
    assert set(looks) == {"mark-right", "mark-wrong", "mark-missed"}
    assert len(set(looks.values())) == 3
    assert "3: 92 %" in last.text
    assert [squeezed(kind.text) for kind in boxes.of_class("kind")] == ["right", "wrong", "missed"]


def test_pictures_beside_the_page_are_named_by_address_and_said_to_be_there(view: ReportView):
    beside = Sidecar("my report_files")
    page = read_page(render(view, beside))
    addresses = {img.attributes["src"] for img in page.all("img")}
    assert addresses == {f"my%20report_files/{name}" for name in beside.files}
    assert list(beside.files.values()) == [PNG], "the same picture is kept once"
    assert _says(page, "in the folder my report_files. Keep the two together.")


# -- for those who cannot see it


def test_ids_are_unique_and_every_reference_leads_somewhere(shown: tuple[ReportView, str]):
    page = read_page(shown[1])
    ids = [e.attributes["id"] for e in page.walk() if "id" in e.attributes]
    assert [i for i, n in Counter(ids).items() if n > 1] == []
    for element in page.walk():
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(element.attributes.get(name, "").split()) <= set(ids)
        if element.attributes.get("href", "").startswith("#"):
            assert element.attributes["href"][1:] in ids
        for reference in re.findall(r"url\(#(.+?)\)", element.attributes.get("fill", "")):
            assert reference in ids


def test_headings_step_down_one_at_a_time(shown: tuple[ReportView, str]):
    levels = [int(e.tag[1]) for e in read_page(shown[1]).all("h1", "h2", "h3", "h4", "h5", "h6")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_picture_has_a_title_and_a_description_or_is_decoration(shown: tuple[ReportView, str]):
    for svg in read_page(shown[1]).all("svg"):
        if svg.attributes.get("aria-hidden") == "true":
            continue
        assert svg.attributes["role"] == "img"
        (title,) = [part for part in svg.parts if isinstance(part, Element) and part.tag == "title"]
        (desc,) = [part for part in svg.parts if isinstance(part, Element) and part.tag == "desc"]
        assert title.own_text
        assert desc.own_text


def test_every_chart_and_diagram_has_a_table_of_its_numbers_beside_it(view: ReportView):
    page = read_page(render(view))
    plots = {id(figure) for part in page.of_class("plots") for figure in part.all("figure")}
    pictured = [figure for figure in page.all("figure") if figure.of_class("chart") and id(figure) not in plots]
    exhibits = [e for s in view.sections for e in s.exhibits if isinstance(e, Chart | Diagram)]
    assert len(pictured) == len(exhibits) == 5
    for figure, exhibit in zip(pictured, exhibits, strict=True):
        assert len(figure.of_class("chart")) == 2, "one picture for wide screens, one for narrow ones"
        (table,) = figure.all("table")
        assert exhibit.title in squeezed(figure.text)
        assert exhibit.description in squeezed(figure.text)
        rows = {x for s in exhibit.series for x in s.x} if isinstance(exhibit, Chart) else exhibit.rows[0][1]
        assert len(table.all("tr")) == len(rows) + 1


def test_every_table_has_a_caption_and_names_its_columns(shown: tuple[ReportView, str]):
    for table in read_page(shown[1]).all("table"):
        assert squeezed(table.all("caption")[0].text)
        assert table.all("th")


def test_verdicts_do_not_rest_on_colour_alone(view: ReportView):
    badges = read_page(render(view)).of_class("verdict")
    signs = {squeezed(badge.text).partition(" ")[0] for badge in badges}
    assert {"◀", "▶", "=", "?", "·", "–", "✕"} <= signs
    assert all(squeezed(badge.text).partition(" ")[2] for badge in badges)


# -- pictures that cannot be, numbers that are too many


def test_a_chart_without_a_finite_value_is_a_note_and_a_table(view: ReportView):
    chart = Chart(
        "Nothing", "line", "x", "y", (Series(A, (1.0, 2.0), (float("nan"), float("nan"))),), "All is missing."
    )
    page = read_page(render(replace(view, sections=(replace(view.sections[2], exhibits=(chart,)),))))
    assert not page.of_class("plots")
    assert _says(page, "There is no finite value to draw.")
    assert _says(page, "All is missing.")
    assert not page.of_class("chart")


def test_a_table_of_many_rows_is_cut_and_says_so(view: ReportView):
    table = Table("Long", ("n",), tuple((i,) for i in range(1234)))
    page = read_page(render(replace(view, sections=(replace(view.sections[2], exhibits=(table,)),))))
    (figure,) = [f for f in page.all("figure") if "Long" in f.text]
    assert len(figure.all("tr")) == 501
    assert "734 more rows are in the JSON report." in squeezed(figure.text)


def test_a_chart_of_many_series_tells_bars_apart_by_hatching(view: ReportView):
    names = (A, B, "third")
    chart = Chart("Bars", "bar", "x", "y", tuple(Series(n, ("one",), (1.0,)) for n in names), "Three bars.")
    html = render(replace(view, sections=(replace(view.sections[2], exhibits=(chart,)),)))
    assert {f"url(#hatch{i})" for i in range(1, HATCHES)} == set(re.findall(r"url\(#hatch\d\)", html))


def test_twenty_contenders_stay_under_the_limit(view_of_many: ReportView):
    """The most that a request may name, compared with a baseline, as one would."""
    accuracy = view_of_many.sections[0]
    names = [f"timm:resnet{i}.a1_in1k@scratch" for i in range(20)]
    finding = next(f for f in accuracy.findings if f.effect)
    findings = tuple(replace(finding, a=names[0], b=name) for name in names[1:])
    cards = tuple(replace(view_of_many.contenders[0], name=name) for name in names)
    section = replace(accuracy, findings=findings, cells=tuple((c, Done(c.key, 1.0, 1)) for c, _ in accuracy.cells))
    page = render(replace(view_of_many, contenders=cards, sections=(section,), baseline=names[0]))
    assert len(page.encode()) < 2_000_000
    assert len(read_page(page).of_class("score")) == 19
