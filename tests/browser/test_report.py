"""The report in a real browser: it asks for nothing, its policy holds, it fits its window, and hands, keys and readers of
all kinds get on with it.

Debian's Chromium is driven through Playwright; where there is none, these tests are skipped.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from netversus.report.html import render
from netversus.report.writer import write
from report.conftest import example_of_many, example_view

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's Chromium: apt-get install chromium")
FLAGS = (
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever the browser itself would ask for stays on this machine
    *("--disable-background-networking", "--disable-dev-shm-usage", "--disable-gpu"),
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)
WIDTHS = (360, 820, 1280)

RULER = """width => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const parts = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parts(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  for (const closed of document.querySelectorAll("details")) closed.open = true;
  const faint = [], wide = [];
  for (const e of document.querySelectorAll("body *")) {
    const box = e.getBoundingClientRect();
    if (!e.closest(".scroll, .patterns, .skip, .unseen, thead, svg") && box.right > width + 1)
      wide.push([e.tagName, e.getAttribute("class"), e.textContent.slice(0, 40)]);
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !e.getClientRects().length || ["title", "desc"].includes(e.tagName)) continue;
    const style = getComputedStyle(e), svg = e.namespaceURI.endsWith("svg");
    const [a, b] = [light(parts(svg ? style.fill : style.color)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push([e.tagName, e.getAttribute("class"), e.textContent.slice(0, 40), ratio.toFixed(2)]);
  }
  return {width: document.documentElement.scrollWidth, wide, faint,
          paper: parts(getComputedStyle(document.body).backgroundColor)};
}"""


@dataclass
class Visit:
    """A page that was opened, with what it asked for and what the browser said of it."""

    page: Any
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Open]:
    contexts: list[Any] = []

    def go(path: Path, *, width: int = 1280, **settings: Any) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        seen = Visit(context.new_page())
        context.route(
            re.compile("^(?!file:|data:|about:)"), lambda route: (seen.asked.append(route.request.url), route.abort())
        )
        seen.page.on("console", lambda message: seen.said.append(message.text))
        seen.page.on("pageerror", lambda error: seen.said.append(str(error)))
        seen.page.goto(path.as_uri())
        return seen

    yield go
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    views = {"two": example_view(), "many": example_of_many()}
    found = {name: folder / f"{name}.html" for name in views}
    for name, path in found.items():
        path.write_text(render(views[name]), encoding="utf-8")
    return found


@pytest.fixture
def report(pages: dict[str, Path]) -> Path:
    return pages["two"]


def _visible(page: Any, selector: str) -> int:
    return sum(each.is_visible() for each in page.locator(selector).all())


# -- it asks for nothing, and nobody's words are run


@pytest.mark.parametrize("name", ["two", "many"])
def test_the_report_opens_without_a_word_of_complaint_and_without_a_request(
    visit: Open, pages: dict[str, Path], name: str
):
    seen = visit(pages[name])
    seen.page.locator("footer").scroll_into_view_if_needed()
    assert seen.said == []
    assert seen.asked == []


def test_hostile_names_are_shown_as_text(visit: Open, report: Path):
    page = visit(report).page
    assert "<script>alert(1)</script>.png" in page.locator("#data").inner_text()
    assert "<b>nine</b>: B is right" in page.locator(".gallery").first.inner_text()
    assert page.locator("#data b, .gallery b, #data script").count() == 0


def test_the_policy_stops_what_would_be_smuggled_in(visit: Open, report: Path, tmp_path: Path):
    smuggled = (
        "<script>document.title = 'ran'</script><img src='http://evil.example/x.png' onerror='document.title=`ran`'>"
        "<link rel=stylesheet href='http://evil.example/x.css'><object data='http://evil.example/x.svg'></object>"
    )
    page = tmp_path / "smuggled.html"
    page.write_text(report.read_text(encoding="utf-8").replace("<main>", f"<main>{smuggled}"), encoding="utf-8")
    seen = visit(page)
    assert seen.page.title() != "ran"
    assert seen.asked == []
    assert len([words for words in seen.said if "Content Security Policy" in words]) >= 4


def test_a_script_that_was_changed_does_not_run(visit: Open, report: Path, tmp_path: Path):
    page = tmp_path / "changed.html"
    changed = report.read_text(encoding="utf-8").replace('"use strict";', '"use strict"; document.title = "ran";', 1)
    page.write_text(changed, encoding="utf-8")
    seen = visit(page)
    assert seen.page.title() != "ran"
    assert any("Content Security Policy" in words for words in seen.said)


def test_these_tests_would_see_a_request_and_a_complaint(visit: Open, tmp_path: Path):
    page = tmp_path / "open.html"
    page.write_text("<img src='http://evil.example/x.png'><script>console.error('ouch')</script>", encoding="utf-8")
    seen = visit(page)
    assert "http://evil.example/x.png" in seen.asked
    assert "ouch" in seen.said


def test_pictures_beside_a_large_page_are_found(visit: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("netversus.report.sidecar.LIMIT", 10_000)
    target = tmp_path / "large report #1.html"
    write(example_view(), target)
    assert (tmp_path / "large report #1_files").is_dir()
    seen = visit(target)
    widths = [img.evaluate("img => img.naturalWidth") for img in seen.page.locator("img").all()]
    assert widths
    assert min(widths) > 0
    assert "Keep the two together." in seen.page.locator("header").inner_text()
    assert (seen.said, seen.asked) == ([], [])


# -- it can be read


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["two", "many"])
def test_the_report_fits_its_window_and_can_be_read(visit: Open, pages: dict[str, Path], name: str, scheme: str):
    page = visit(pages[name], color_scheme=scheme).page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        said = page.evaluate(RULER, width)
        assert said["wide"] == [], width
        assert said["width"] <= width
        assert said["faint"] == [], width
        red, green, blue, *_ = said["paper"]
        assert (max(red, green, blue) < 60) if scheme == "dark" else (min(red, green, blue) > 240)


def test_each_chart_is_drawn_once_for_the_width_at_hand(visit: Open, report: Path):
    page = visit(report).page
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        figures = page.locator("figure:has(svg.chart)")
        assert figures.count() >= 5
        for figure in figures.all():
            assert _visible(figure, "svg.chart") == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["two", "many"])
def test_the_rules_of_accessibility_hold(visit: Open, pages: dict[str, Path], name: str, scheme: str):
    page = visit(pages[name], color_scheme=scheme, bypass_csp=True).page  # axe is a script that the policy would stop
    found = axe.Axe().run(page)
    told = [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in found.response["violations"]]
    assert told == []
    assert len(found.response["passes"]) > 20


def test_on_a_phone_a_table_of_sentences_is_read_downwards_and_every_cell_says_what_it_is(visit: Open, report: Path):
    page = visit(report, width=390, bypass_csp=True).page  # axe is a script that the policy would stop
    tables = page.locator("table.stacked")
    assert page.locator("#priorities-form table.stacked").count() == 1
    assert tables.count() >= 2
    page.evaluate("for (const closed of document.querySelectorAll('details')) closed.open = true")
    for table in tables.all():
        room = "e => [e.closest('.scroll').scrollWidth, e.closest('.scroll').clientWidth, e.tHead.checkVisibility()]"
        needed, there, headed = table.evaluate(room)
        assert needed <= there, "nothing is reached only by moving the table"
        assert not headed
        columns = table.locator("thead th").all_text_contents()
        labels = "row => [...row.cells].slice(1).map(c => getComputedStyle(c, '::before').content.slice(1, -1))"
        assert table.locator("tbody tr").first.evaluate(labels) == [" ".join(c.split()) for c in columns[1:]]
    assert axe.Axe().run(page).response["violations"] == []


def test_numbers_that_cannot_stand_beside_their_picture_are_folded(visit: Open, report: Path):
    beside = ".beside > details[open]"
    assert visit(report).page.locator(beside).count() >= 1
    assert visit(report, width=390).page.locator(beside).count() == 0
    assert visit(report, width=390, java_script_enabled=False).page.locator(beside).count() >= 1


def test_on_paper_all_is_open_and_nothing_is_to_be_clicked(visit: Open, report: Path, tmp_path: Path):
    page = visit(report).page
    page.emulate_media(media="print")
    assert _visible(page, ".filter, nav") == 0
    assert _visible(page, ".gallery img") == page.locator(".gallery img").count() == 7
    folded = page.locator("details table th, details table td").all()
    assert folded
    assert all(cell.bounding_box()["height"] > 0 for cell in folded[:20])  # type: ignore[index]
    file = page.pdf(path=str(tmp_path / "report.pdf"))
    assert file.startswith(b"%PDF")
    assert len(file) > 20_000


# -- it can be used


def test_a_gallery_is_filtered_and_says_how_many_are_left(visit: Open, report: Path):
    gallery = visit(report).page.locator(".gallery").first
    assert _visible(gallery, "li") == 3
    gallery.locator("select").select_option(label="class <b>9</b> (2)")
    assert [img.get_attribute("alt") for img in gallery.locator("img").all() if img.is_visible()] == [
        "a nine",
        "another nine",
    ]
    assert gallery.locator("[role=status]").inner_text() == "2 of 3 are shown"
    gallery.locator("select").select_option(value="")
    assert _visible(gallery, "li") == 3


def _column(table: Any, place: int) -> list[str]:
    return [row.locator("th, td").nth(place).inner_text() for row in table.locator("tbody tr").all()]


def test_a_table_is_sorted_by_click_and_by_key_and_goes_back(visit: Open, report: Path):
    page = visit(report).page
    table = page.locator("#data table.sortable")
    before = _column(table, 0)
    head = table.locator("thead th").first
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    up = _column(table, 0)
    assert sorted(up) == sorted(before)
    assert up != before
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert _column(table, 0) == up[::-1]
    head.locator("button").press("Space")
    assert head.get_attribute("aria-sort") is None
    assert _column(table, 0) == before


def test_numbers_are_sorted_as_numbers_and_what_is_absent_comes_last(visit: Open, tmp_path: Path):
    from netversus.exhibits import Table

    view = example_view()
    rows = (("a", "11.6 ms"), ("b", "2.00 s"), ("c", "–"), ("d", "−3"), ("e", "1,200"), ("f", "0.5 µs"))
    section = replace(view.sections[2], exhibits=(Table("Times", ("who", "time"), rows),), findings=())
    path = tmp_path / "times.html"
    path.write_text(render(replace(view, sections=(section,))), encoding="utf-8")
    table = visit(path).page.locator("table", has_text="11.6 ms").last
    table.locator("thead button").nth(1).click()
    assert _column(table, 0) == ["d", "f", "a", "b", "e", "c"]
    table.locator("thead button").nth(1).click()
    assert _column(table, 0) == ["e", "b", "a", "f", "d", "c"]


def test_the_keyboard_reaches_all_that_can_be_used_and_shows_where_it_is(visit: Open, report: Path):
    page = visit(report).page
    page.evaluate("""() => {
      const usable = "a[href], button, select, input, summary, [tabindex='0']";
      const reach = e => e.checkVisibility({visibilityProperty: true, contentVisibilityAuto: true});
      [...document.querySelectorAll(usable)].filter(reach).forEach((e, i) => e.dataset.place = i);
    }""")
    wanted = page.evaluate("document.querySelectorAll('[data-place]').length")
    reached, unmarked = [], []
    for _ in range(wanted):
        page.keyboard.press("Tab")
        place, outline = page.evaluate(
            "[document.activeElement.dataset.place, getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.append(place)
        if outline == "none":
            unmarked.append(place)
    assert reached == [str(i) for i in range(wanted)], "in the order of the page, none left out, none a trap"
    assert unmarked == []


def test_the_first_key_leads_past_the_top_to_the_score_card(visit: Open, report: Path):
    page = visit(report).page
    page.keyboard.press("Tab")
    assert page.locator(".skip").evaluate("e => e === document.activeElement")
    page.keyboard.press("Enter")
    assert page.url.endswith("#score-card")


def test_without_javascript_everything_is_shown_and_nothing_pretends_to_work(visit: Open, report: Path):
    seen = visit(report, java_script_enabled=False)
    page = seen.page
    assert _visible(page, ".gallery img") == 7
    assert _visible(page, ".filter, form, th button") == 0
    assert page.locator("#your-priorities table").first.is_visible()
    page.locator("summary").first.click()
    assert page.locator("details").first.get_attribute("open") is not None
    assert seen.said == []


def test_the_findings_can_be_saved_from_the_page(visit: Open, report: Path):
    page = visit(report, accept_downloads=True).page
    with page.expect_download() as saved:
        page.locator("a[download='findings.csv']").click()
    assert Path(saved.value.path()).read_text(encoding="utf-8").startswith("study,metric,slice,a,b,verdict")


def test_the_report_of_the_stored_run_opens_as_it_should(visit: Open, tmp_path: Path):
    from golden.expected import RUN
    from netversus.api import open_run

    run = tmp_path / "run"
    shutil.copytree(RUN, run)
    page = Path(str(open_run(run).report(tmp_path / "report.html")))
    assert page.stat().st_size < 2_000_000
    seen = visit(page)
    assert (seen.said, seen.asked) == ([], [])
    assert seen.page.locator("h1").inner_text()
