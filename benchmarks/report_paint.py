"""How soon the demo's report is painted, and can be used, in Chromium, from this machine's disk.

    python benchmarks/report_paint.py [RUN]        a stored run; by default runs/demo

First contentful paint as the browser tells it; "interactive" is when its own scripts have run and the browser has
nothing left to do for it (`load`, then an idle moment). Both from the beginning of the navigation, in a fresh tab each.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright
from record import record

from netversus.api import open_run

ROUNDS = 9
PEER = "<!DOCTYPE html><title>one line</title><p>one line"
GOAL_MS, GOAL_BYTES = 1000.0, 2_000_000
TIMES = """() => new Promise(done => new PerformanceObserver((list, observer) => {
  const paint = list.getEntriesByName("first-contentful-paint")[0];
  if (!paint) return;
  observer.disconnect();
  requestIdleCallback(() => {
    const load = performance.getEntriesByType("navigation")[0];
    done({paint: paint.startTime, loaded: load.loadEventEnd, interactive: performance.now()});
  });
}).observe({type: "paint", buffered: true}))"""


def main() -> None:
    run = sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parents[1] / "runs" / "demo")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        pages = {"report": Path(name) / "report.html", "one line": Path(name) / "line.html"}
        pages["one line"].write_text(PEER)
        open_run(run).report(pages["report"])
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        seen: dict[str, list[dict[str, float]]] = {key: [] for key in pages}
        for _ in range(ROUNDS + 1):  # in turns; the first is dropped
            for key, page in pages.items():
                seen[key].append(_opened(browser, page))
        version = browser.version
        size = pages["report"].stat().st_size
        elements = _count(browser, pages["report"])
        browser.close()
    middle = {k: {m: statistics.median(r[m] for r in found[1:]) for m in found[1]} for k, found in seen.items()}
    ours = middle["report"]
    record(
        name="report_paint",
        peer="a page of one line",
        ratio=ours["paint"] / middle["one line"]["paint"],
        ratio_is="our milliseconds to the first contentful paint / the peer's, medians",
        better="lower",
        goal="first contentful paint within 1 s, interactive within 1 s, at most 2 MB; medians",
        met=max(ours["paint"], ours["interactive"]) <= GOAL_MS and size <= GOAL_BYTES,
        measured={
            "chromium": version,
            "bytes": size,
            "elements": elements,
            "median ms": middle,
            "ms": {key: found[1:] for key, found in seen.items()},
        },
    )


def _opened(browser: Browser, page: Path) -> dict[str, float]:
    """The times of one visit, in ms."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(page.as_uri(), wait_until="load")
    times: dict[str, float] = tab.evaluate(TIMES)
    context.close()
    return times


def _count(browser: Browser, page: Path) -> Any:
    tab = browser.new_page()
    tab.goto(page.as_uri())
    return tab.evaluate("document.querySelectorAll('*').length")


if __name__ == "__main__":
    main()
