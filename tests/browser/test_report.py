"""The report in a real browser: it asks for nothing, its policy holds, it fits its window, and it can be read.

Debian's Chromium is driven by its command line alone; where there is none, these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from netversus.report.html import render
from report.conftest import example_of_many, example_view

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Debian's Chromium: apt-get install chromium")
NO_PAGE = "not an origin"  # how the log of the network names the browser itself as the one who asks
LIGHT, DARK = "--blink-settings=preferredColorScheme=1", "--blink-settings=preferredColorScheme=0"
QUIET = (
    *("--headless", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run", "--disable-sync"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-extensions",
    ),
    *("--hide-scrollbars", "--virtual-time-budget=2000", "--enable-logging=stderr"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # whatever the browser itself would ask for stays on this machine
    *(("--no-sandbox",) if os.geteuid() == 0 else ()),
)

# A page around the report that measures it from outside: the report's own policy lets no script run inside.
RULER = """<!DOCTYPE html><title>ruler</title><body style="margin:0"><pre id="said"></pre><script>
const frames = %s, said = {};
function channel(c) { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; }
function parts(colour) { return colour.match(/[\\d.]+/g).map(Number); }
function light([r, g, b]) { return 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b); }
function ground(view, element) {
  for (let e = element; e; e = e.parentElement) {
    const colour = parts(view.getComputedStyle(e).backgroundColor);
    if (colour.length < 4 || colour[3] > 0) return colour;
  }
  return [255, 255, 255];
}
function faint(view) {
  const found = [];
  for (const e of view.document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !e.getClientRects().length || ["title", "desc"].includes(e.tagName)) continue;
    const style = view.getComputedStyle(e), svg = e.namespaceURI.endsWith("svg");
    const [a, b] = [light(parts(svg ? style.fill : style.color)), light(ground(view, e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push([e.tagName, e.getAttribute("class"), e.textContent.slice(0, 40), ratio.toFixed(2)]);
  }
  return found;
}
function wide(view, width) {
  const inside = e => e.closest(".scroll, .patterns, .skip, .unseen, thead");
  return [...view.document.querySelectorAll("body *")]
    .filter(e => !inside(e) && !e.closest("svg") && e.getBoundingClientRect().right > width + 1)
    .map(e => [e.tagName, e.getAttribute("class"), e.textContent.slice(0, 40)]);
}
for (const [name, url, width] of frames) {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 900; frame.src = url;
  frame.onload = () => {
    const view = frame.contentWindow, root = view.document.documentElement;
    for (const closed of view.document.querySelectorAll("details")) closed.open = true;
    said[name] = {width: root.scrollWidth, wide: wide(view, width), faint: faint(view), height: root.scrollHeight,
                  paper: view.getComputedStyle(view.document.body).backgroundColor,
                  pictures: [...view.document.querySelectorAll("svg.chart")].filter(e => e.getClientRects().length).length};
    document.getElementById("said").textContent = JSON.stringify(said);
  };
  document.body.append(frame);
}
</script>"""

Browse = Callable[..., "Seen"]


class Seen:
    """What a visit to a page left behind: its document, what the browser logged, and what the page asked for."""

    def __init__(self, done: subprocess.CompletedProcess[str], net_log: Path) -> None:
        assert done.returncode == 0, done.stderr
        self.document = done.stdout
        self.log = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        events = [event.get("params", {}) for event in json.loads(net_log.read_text(encoding="utf-8"))["events"]]
        assert events, "the browser kept no log of its network"
        own = {params["url"] for params in events if params.get("initiator") == NO_PAGE}
        urls = {params["url"] for params in events if "url" in params}
        self.asked = {url for url in urls - own if not url.startswith(("file:", "data:", "about:", "chrome"))}


@pytest.fixture
def browse(tmp_path: Path) -> Browse:
    def visit(page: Path, *flags: str) -> Seen:
        net_log = tmp_path / "net.json"
        command = [str(BROWSER), *QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={net_log}", *flags]
        done = subprocess.run(
            [*command, "--dump-dom", page.as_uri()], capture_output=True, text=True, check=False, timeout=90
        )
        return Seen(done, net_log)

    return visit


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(render(example_view()), encoding="utf-8")
    return path


def _measured(browse: Browse, tmp_path: Path, frames: list[tuple[str, str, int]], *flags: str) -> dict[str, Any]:
    ruler = tmp_path / "ruler.html"
    ruler.write_text(RULER % json.dumps(frames), encoding="utf-8")
    document = browse(ruler, "--allow-file-access-from-files", "--window-size=1400,1000", *flags).document
    said = re.search(r'<pre id="said">(.*?)</pre>', document, re.DOTALL)
    assert said, document[:500]
    return json.loads(unescape(said[1]))  # type: ignore[no-any-return]


def test_the_report_opens_without_a_word_of_complaint_and_without_a_request(browse: Browse, report: Path):
    seen = browse(report)
    assert seen.log == []
    assert seen.asked == set()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.png" in seen.document


def test_the_policy_stops_what_would_be_smuggled_in(browse: Browse, report: Path):
    smuggled = (
        "<script>document.title = 'ran'</script><img src='http://evil.example/x.png' onerror='document.title=`ran`'>"
        "<link rel=stylesheet href='http://evil.example/x.css'><object data='http://evil.example/x.svg'></object>"
    )
    page = report.read_text(encoding="utf-8").replace("<main>", f"<main>{smuggled}")
    report.write_text(page, encoding="utf-8")
    seen = browse(report)
    assert "<title>ran</title>" not in seen.document
    assert seen.asked == set()
    assert len([line for line in seen.log if "Content Security Policy" in line]) >= 4


def test_these_tests_would_see_a_request_and_a_complaint(browse: Browse, tmp_path: Path):
    page = tmp_path / "open.html"
    page.write_text("<img src='http://evil.example/x.png'><script>console.error('ouch')</script>", encoding="utf-8")
    seen = browse(page)
    assert "http://evil.example/x.png" in seen.asked
    assert any("ouch" in line for line in seen.log)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_report_fits_its_window_and_can_be_read(browse: Browse, report: Path, tmp_path: Path, scheme: str):
    many = tmp_path / "many.html"
    many.write_text(render(example_of_many()), encoding="utf-8")
    frames = [(f"{page.stem} {width}", page.as_uri(), width) for page in (report, many) for width in (360, 820, 1280)]
    said = _measured(browse, tmp_path, frames, scheme)
    assert set(said) == {name for name, _, _ in frames}
    for name, _, width in frames:
        assert said[name]["wide"] == [], name
        assert said[name]["width"] <= width, name
        assert said[name]["faint"] == [], name
        assert said[name]["height"] > 900
    assert said["report 360"]["pictures"] == said["report 1280"]["pictures"] == 5
    red, green, blue, *_ = map(int, re.findall(r"\d+", said["report 1280"]["paper"]))
    assert (max(red, green, blue) < 60) if scheme == DARK else (min(red, green, blue) > 240)


def test_the_report_can_be_printed_and_photographed(browse: Browse, report: Path, tmp_path: Path):
    for flag, name, begins in (("--print-to-pdf", "r.pdf", b"%PDF"), ("--screenshot", "r.png", b"\x89PNG")):
        target = tmp_path / name
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        subprocess.run(
            [str(BROWSER), *QUIET, profile, f"{flag}={target}", report.as_uri()],
            capture_output=True,
            check=True,
            timeout=90,
        )
        assert target.read_bytes().startswith(begins)
        assert target.stat().st_size > 20_000
