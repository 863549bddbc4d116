"""The pages: who may ask, for what, and what is in the answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import anyio
import pytest
from starlette.testclient import TestClient

from netversus.browse.live import LiveRun
from netversus.browse.shelf import key_of
from netversus.browse.site import Site, _events
from netversus.browse.so_far import NOT_YET
from netversus.errors import RunFolderError
from netversus.files import open_files
from report.page import read_page, squeezed

from .conftest import GOLDEN, Writer

HOSTILE = "a<script>alert(1)</script>&\"'\u202e"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    shutil.copytree(GOLDEN, folder / "golden")
    return folder


def client(place: Path, host: str = "127.0.0.1") -> TestClient:
    return TestClient(Site(str(place), host).app, base_url="http://127.0.0.1:8484", follow_redirects=False)


def text(html: str) -> str:
    return squeezed(read_page(html).text)


def test_the_runs_are_listed_and_lead_to_their_pages(runs: Path):
    site = client(runs)
    listed = site.get("/")
    assert listed.status_code == 200
    assert "4 of 4" in text(listed.text)
    page = site.get(f"/run/{key_of('golden')}")
    assert "4 of 4 cells done; 4,048 observations" in text(page.text)
    report = site.get(f"/report/{key_of('golden')}")
    assert "it is more accurate than" in text(report.text)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_looking_is_answered(runs: Path, method: str, contents: Callable[[Path], Mapping[str, bytes]]):
    before = contents(runs)
    for place in ("/", "/compare", f"/run/{key_of('golden')}", "/nowhere"):
        assert client(runs).request(method, place).status_code == 405
    assert contents(runs) == before


def test_looking_at_every_page_changes_no_file(runs: Path, contents: Callable[[Path], Mapping[str, bytes]]):
    shutil.copytree(runs / "golden", runs / "other")
    before = contents(runs)
    site, key, other = client(runs), key_of("golden"), key_of("other")
    for place in ("/", f"/run/{key}", f"/report/{key}", f"/compare?a={key}&b={other}"):
        assert site.get(place).status_code == 200
        assert site.head(place).status_code == 200
    assert contents(runs) == before


@pytest.mark.parametrize(
    ("host", "answered"),
    [
        ("127.0.0.1:8484", True),
        ("localhost", True),
        ("[::1]:8484", True),
        ("evil.example", False),
        ("evil.example:8484", False),
        ("127.0.0.1.evil.example", False),
        ("192.0.2.7", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_a_name_that_is_not_this_server_s_is_refused(runs: Path, host: str, answered: bool):
    answer = client(runs).get("/", headers={"host": host})
    assert answer.status_code == (200 if answered else 421)


def test_a_server_that_was_opened_is_reached_by_its_address_and_still_by_no_foreign_name(runs: Path):
    site = client(runs, host="0.0.0.0")
    assert site.get("/", headers={"host": "192.0.2.7:8484"}).status_code == 200
    assert site.get("/", headers={"host": "evil.example"}).status_code == 421


@pytest.mark.parametrize(
    "place",
    [
        "/run/.%2e",
        "/run/../../etc/passwd",
        "/run/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/report/golden",
        "/report/golden%00",
        "/static/../pages.py",
        "/static/%2e%2e%2fpages.py",
        "/static/pages.py",
        "/events/..%2f..",
        "/compare?a=../golden&b=..",
        "/run/golden/run.json",
    ],
)
def test_nothing_is_found_by_a_path(runs: Path, place: str):
    answer = client(runs).get(place)
    assert answer.status_code in (404, 307)
    assert "root:" not in answer.text


def test_every_answer_carries_a_strict_policy(runs: Path):
    site, key = client(runs), key_of("golden")
    for place in ("/", f"/run/{key}", "/nowhere", "/static/live.js", "/static/style.css", "/favicon.ico"):
        headers = site.get(place).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"
    report = site.get(f"/report/{key}")
    assert report.headers["content-security-policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'self'" in report.headers["content-security-policy"]
    assert "script-src 'unsafe" not in report.headers["content-security-policy"]


def test_hostile_names_are_shown_as_text(make_run: Callable[..., Writer], tmp_path: Path):
    hostile = HOSTILE.replace("/", "∕")  # a folder's name holds no slash
    run = make_run(hostile, contenders=(HOSTILE, "bee"))
    run.begin(HOSTILE)
    run.end(HOSTILE, error=f"error of {HOSTILE}")
    site = client(tmp_path / "runs")
    for place in ("/", f"/run/{key_of(hostile)}"):
        page = site.get(place).text
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert r"a<script>alert(1)</script>&" + "\"'\\u202e" in read_page(page).text
        assert {s.attributes.get("src") for s in read_page(page).all("script")} <= {"/static/live.js"}


def test_a_run_that_is_being_measured_shows_no_verdict_of_what_is_not_whole(
    make_run: Callable[..., Writer], tmp_path: Path
):
    run = make_run()
    site, key = client(tmp_path / "runs"), key_of("run")
    with run.at_work():
        for name, right in (("ant", 0.1), ("bee", 0.9)):
            run.begin(name)
            run.see(name, 200, right)
        page = text(site.get(f"/run/{key}").text)
        assert "So far, not a verdict yet." in page
        assert "+80" in page or "points" in page
        assert NOT_YET in text(site.get(f"/report/{key}").text)
        for name in ("ant", "bee"):
            run.end(name)
    assert "not a verdict yet" not in text(site.get(f"/run/{key}").text)
    assert NOT_YET not in text(site.get(f"/report/{key}").text)
    assert "bee" in text(site.get(f"/report/{key}").text)


def test_intervals_of_a_run_that_is_being_measured_hold_at_every_look_or_are_said_to_be_provisional(
    make_run: Callable[..., Writer], tmp_path: Path
):
    shown = {}
    for name, settings in (("fixed", {}), ("early", {"stop_when_decided": True})):
        run = make_run(name, **settings)
        site = client(tmp_path / "runs")
        with run.at_work():
            for who, right in (("ant", 0.5), ("bee", 0.9)):
                run.begin(who)
                run.see(who, 200, right)
            run.end("ant")
            shown[name] = text(site.get(f"/report/{key_of(name)}").text)
            run.end("bee")
        after = text(site.get(f"/report/{key_of(name)}").text)
        assert "Provisional: 1 cell of this study has not ended." in shown[name]
        assert "Provisional" not in after
    assert "wrong more often than they say" in shown["fixed"]
    assert "Clopper-Pearson interval; exact" in shown["fixed"]
    assert "Confidence sequences hold already" in shown["early"]
    assert "Clopper-Pearson interval; exact" not in shown["early"]
    assert "it holds whenever one looks" in shown["early"]


def test_two_runs_are_compared_by_what_differs_alone(runs: Path):
    shutil.copytree(runs / "golden", runs / "other")
    plan = runs / "other" / "plans" / "0001.json"
    changed = json.loads(plan.read_text())
    changed["request"]["level"] = 0.9
    plan.write_text(json.dumps(changed))
    session = runs / "other" / "sessions" / "0001.json"
    session.write_text(session.read_text().replace('"torch": "', '"torch": "0.'))
    answer = client(runs).get(f"/compare?a={key_of('golden')}&b={key_of('other')}")
    assert answer.status_code == 200
    rows = [[squeezed(cell.text) for cell in row.all("th", "td")] for row in read_page(answer.text).all("tr")]
    found = {row[0]: row[1:] for row in rows if row[0]}
    assert found["level"] == ["0.95", "0.9"]
    assert found["torch"][1] == f"0.{found['torch'][0]}"
    assert "seed" not in found
    assert "data" not in found
    assert not any("digest" in name for name in found)
    assert any(name.startswith("accuracy.top1") for name in found)  # another level, another interval


def test_the_same_run_twice_or_one_run_is_no_comparison(runs: Path):
    for query in ("", f"?a={key_of('golden')}", f"?a={key_of('golden')}&b={key_of('golden')}"):
        assert client(runs).get(f"/compare{query}").status_code == 400


def test_a_damaged_run_is_a_clear_page_and_spoils_no_other(runs: Path):
    (runs / "broken").mkdir()
    (runs / "broken" / "run.json").write_text("{")
    site = client(runs)
    listed = text(site.get("/").text)
    assert "cannot be read" in listed
    assert "4 of 4" in listed
    answer = site.get(f"/run/{key_of('broken')}")
    assert answer.status_code == 422
    assert "is damaged or of another version" in text(answer.text)


def test_events_follow_a_run_to_its_end(make_run: Callable[..., Writer], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("netversus.browse.site.LOOK_SECONDS", 0.0)
    run = make_run()
    live, steps = LiveRun(run.store), iter(("begin", "end", "nothing", "nothing"))

    def look() -> object:
        step = next(steps, "nothing")
        for name in ("ant", "bee"):
            {"begin": run.begin, "end": run.end}.get(step, lambda _: None)(name)
        return live.look()

    async def read(events: AsyncIterator[str]) -> list[str]:
        return [event async for event in events]

    events = anyio.run(read, _events(look, lambda: False))  # type: ignore[arg-type]
    names = [event.splitlines()[0].removeprefix("event: ") for event in events]
    assert names == ["status", "status", "report", "over"]
    assert all(event.count("\n") == 3 for event in events)  # one line of data, whatever it holds
    assert "2 of 2 cells done" in json.loads(events[1].splitlines()[1].removeprefix("data: "))


def test_events_say_when_a_run_can_be_read_no_more():
    def look() -> object:
        raise RunFolderError("<b>damaged</b>")

    async def read() -> list[str]:
        return [event async for event in _events(look, lambda: False)]  # type: ignore[arg-type]

    (event,) = anyio.run(read)
    assert "&lt;b&gt;damaged" in event


def test_events_end_when_the_server_does(make_run: Callable[..., Writer]):
    async def read() -> list[str]:
        return [event async for event in _events(LiveRun(make_run().store).look, lambda: True)]

    assert anyio.run(read) == []


def test_pages_load_no_torch(runs: Path):
    script = f"""
import sys
import uuid
from starlette.testclient import TestClient
from netversus.browse.site import Site
site = TestClient(Site({str(runs)!r}).app, base_url="http://localhost")
for place in ("/", "/run/{key_of("golden")}", "/report/{key_of("golden")}"):
    assert site.get(place).status_code == 200
sys.exit(str(sorted({{"torch", "torchvision", "timm"}} & set(sys.modules)) or ""))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_one_run_can_be_shown_by_itself_on_a_disk_and_in_an_object_store(runs: Path):
    place = f"memory://{uuid.uuid4().hex}/golden"
    files = open_files(place)
    for path in GOLDEN.rglob("*"):
        if path.is_file():
            files.write(str(path.relative_to(GOLDEN)), path.read_bytes())
    for shown in (str(runs / "golden"), place):
        site = TestClient(Site(shown).app, base_url="http://localhost")
        assert "4 of 4" in text(site.get("/").text)
        assert "it is more accurate than" in text(site.get(f"/report/{key_of('golden')}").text)
