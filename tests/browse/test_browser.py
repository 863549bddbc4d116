"""The served pages in a real browser: they complain of nothing, ask nobody else, keep up with a run, and can be read."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from netversus.browse.serving import _Server, address_of, listen
from netversus.browse.shelf import key_of
from netversus.browse.site import Site

from .conftest import GOLDEN, Writer

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Debian's Chromium: apt-get install chromium")
HOSTILE = "<img src=x onerror=alert(1)>"
FLAGS = ["--disable-dev-shm-usage", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]


@dataclass
class Visit:
    """A page that is open, what it complained of, and whom it asked."""

    page: Any
    address: str
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def listen(self) -> None:
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))

    @property
    def foreign(self) -> list[str]:
        return [url for url in self.asked if not url.startswith((self.address, "data:"))]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Visit]]:
    """Serve the runs of this test on a real socket, and open a page of them."""
    import uvicorn

    monkeypatch.setattr("netversus.browse.site.LOOK_SECONDS", 0.1)
    (tmp_path / "runs").mkdir(exist_ok=True)
    site = Site(str(tmp_path / "runs"))
    listener = listen("127.0.0.1", 0)
    server = _Server(uvicorn.Config(site.app, log_level="warning", lifespan="off"), site)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    contexts: list[Any] = []

    def go(path: str, **settings: Any) -> Visit:
        contexts.append(chromium.new_context(**settings))
        found = Visit(contexts[-1].new_page(), address_of(listener))
        found.listen()
        answer = found.page.goto(found.address + path.lstrip("/"))
        assert answer.ok, answer.status
        return found

    yield go
    for context in contexts:
        context.close()
    site.closing.set()
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def test_every_page_opens_without_a_complaint_and_asks_nobody_else(visit: Callable[..., Visit], tmp_path: Path):
    for name in ("golden", "other"):
        shutil.copytree(GOLDEN, tmp_path / "runs" / name)
    keys = key_of("golden"), key_of("other")
    for path in ("/", f"/run/{keys[0]}", f"/report/{keys[0]}", f"/compare?a={keys[0]}&b={keys[1]}"):
        seen = visit(path)
        seen.page.wait_for_load_state("networkidle")
        assert seen.complaints == [], path
        assert seen.foreign == [], path
    seen = visit("/")
    seen.page.get_by_role("link", name="golden").click()
    assert "it is more accurate than" in seen.page.frame_locator("#report").locator("h1").inner_text()
    height = seen.page.locator("#report").evaluate("frame => frame.offsetHeight")
    inner = seen.page.locator("#report").evaluate("frame => frame.contentDocument.documentElement.scrollHeight")
    assert height >= inner > 1000  # one scroll bar


def test_a_live_page_keeps_up_with_its_run_and_shows_its_end(
    visit: Callable[..., Visit], make_run: Callable[..., Writer]
):
    run = make_run()
    with run.at_work():
        run.begin("ant")
        seen = visit(f"/run/{key_of('run')}")
        status = seen.page.locator("#status")
        status.get_by_text("0 of 2 cells done, 1 running").wait_for()
        run.begin("bee")
        for name, right in (("ant", 0.4), ("bee", 0.9)):
            run.see(name, 100, right)
        status.get_by_text("So far, not a verdict yet").wait_for()
        assert "confidence sequence" not in status.inner_text()
        status.locator("summary").click()  # the reader closed it: it stays so
        run.see("ant", 400, 0.4, 100)
        run.end("ant")
        status.get_by_text("1 of 2 cells done").wait_for()
        assert status.locator("details").get_attribute("open") is None
        run.see("bee", 400, 0.9, 100)
        run.end("bee")
        status.get_by_text("2 of 2 cells done").wait_for()
    seen.page.locator("#status:not([data-events])").wait_for()  # the page was loaded anew, for the last time
    frame = seen.page.frame_locator("#report")
    frame.locator("h1").get_by_text("Take bee").wait_for()
    assert seen.complaints == []
    assert seen.foreign == []


def test_hostile_names_are_text_in_a_live_page_too(visit: Callable[..., Visit], make_run: Callable[..., Writer]):
    run = make_run(HOSTILE, contenders=(HOSTILE, "bee"))
    with run.at_work():
        run.begin(HOSTILE)
        listed = visit("/")
        listed.page.get_by_role("link", name=HOSTILE).wait_for()
        seen = visit(f"/run/{key_of(HOSTILE)}")
        seen.page.locator("#status").get_by_text("0 of 2 cells done, 1 running").wait_for()
        run.end(HOSTILE, error=f"error of {HOSTILE}")
        seen.page.locator("#status").get_by_text(f"error of {HOSTILE}").wait_for()
        for page in (listed, seen):
            assert page.page.locator("img").count() == 0
            assert page.complaints == []
            assert page.foreign == []


def test_without_a_script_a_live_page_is_whole_and_is_refreshed_by_hand(
    visit: Callable[..., Visit], make_run: Callable[..., Writer]
):
    run = make_run()
    with run.at_work():
        run.begin("ant")
        seen = visit(f"/run/{key_of('run')}", java_script_enabled=False)
        assert "0 of 2 cells done, 1 running" in seen.page.locator("#status").inner_text()
        assert "No verdict yet" in seen.page.frame_locator("#report").locator("h1").inner_text()
        run.end("ant")
        seen.page.get_by_role("link", name="Look again").click()
        assert "1 of 2 cells done" in seen.page.locator("#status").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_their_window_and_pass_the_rules_of_access(
    visit: Callable[..., Visit], tmp_path: Path, scheme: str
):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python").Axe()
    for name in ("golden", "other"):
        shutil.copytree(GOLDEN, tmp_path / "runs" / name)
    keys = key_of("golden"), key_of("other")
    for path in ("/", f"/run/{keys[0]}", f"/compare?a={keys[0]}&b={keys[1]}"):
        for width in (360, 1280) if scheme == "light" else (1280,):
            seen = visit(path, color_scheme=scheme, viewport={"width": width, "height": 900})
            wide = seen.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, (path, width)
            if width == 1280:
                found = axe.run(seen.page, options={"iframes": False})
                assert found.violations_count == 0, (path, found.generate_report())
