"""Addresses -> pages.

    /                   the runs
    /run/KEY            one run: where it stands, and its report
    /report/KEY         its report alone
    /events/KEY         what changes in it, as server-sent events
    /compare?a=&b=      what differs between two
    /static/NAME        our own style, script and icon

A run is asked for by its key on the shelf: no address is ever taken for a path.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from html import unescape

import anyio
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from netversus.browse import pages
from netversus.browse.differences import differences
from netversus.browse.guard import Guard
from netversus.browse.live import LiveRun, Snapshot
from netversus.browse.shelf import Shelf
from netversus.browse.so_far import page_so_far, view_so_far
from netversus.errors import NetversusError
from netversus.messages import catalogue, say, speaking, template

NOT_FOUND = template("There is no such page here.")
LOOK_SECONDS = 1.0
REPORT_SECONDS = 10.0  # between two new reports of a run that is being measured, unless a cell ended
BEAT_SECONDS = 15.0  # a line that says nothing, so that a reader who is gone is noticed
MOST_READERS = 32
_KEPT = 8  # runs whose stored observations and last report are kept in memory
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
_CLOSED = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass
class _Looked:
    """A run that somebody looks at. One thread at a time."""

    name: str
    live: LiveRun
    lock: threading.Lock = field(default_factory=threading.Lock)
    report: tuple[object, str] | None = None

    def look(self) -> Snapshot:
        with self.lock:
            return self.live.look()

    def page(self) -> str:
        """The report, made anew only when there is something new."""
        with self.lock:
            mark = _mark(self.live.look())
            if self.report is None or self.report[0] != mark:
                self.report = (mark, page_so_far(self.live.store))
            return self.report[1]


def _mark(snapshot: Snapshot) -> object:
    """What a report depends on."""
    return snapshot.plan, tuple((each.state, each.observations) for each in snapshot.cells)


class _Spoken:
    """The application behind it answers in one language: threads and streams inherit it from their request."""

    def __init__(self, app: ASGIApp, language: str) -> None:
        self.app, self.language = app, language

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        with speaking(self.language):
            await self.app(scope, receive, send)


class Site:
    """The pages of one shelf, in one language. `closing` is set when the server ends: who still reads events is let go.

    Raises:
        OptionError: there is no such language.
        RunFolderError: there is no such folder.
    """

    def __init__(self, place: str, host: str = "127.0.0.1", language: str = "en") -> None:
        catalogue(language)
        self.shelf = Shelf(place)
        self.closing = threading.Event()
        self._looked: OrderedDict[str, _Looked] = OrderedDict()
        self._lock = threading.Lock()
        self._readers = 0
        self.app = Starlette(
            routes=[
                Route("/", _page(self.runs)),
                Route("/run/{key}", _page(self.run)),
                Route("/report/{key}", _page(self.report)),
                Route("/compare", _page(self.compare)),
                Route("/events/{key}", self.events),
                Route("/static/{name}", self.static),
                Route("/favicon.ico", self.icon),
            ],
            middleware=[Middleware(_Spoken, language=language), Middleware(Guard, host=host)],
            exception_handlers={HTTPException: _refused},
        )

    def runs(self, _: Request) -> Response:
        """Every run."""
        return HTMLResponse(pages.shelf_page(self.shelf.place, self.shelf.entries()))

    def run(self, request: Request) -> Response:
        """One run."""
        key = request.path_params["key"]
        run = self._run(key)
        return HTMLResponse(pages.run_page(key, run.name, run.look(), run.live.store.created))

    def report(self, request: Request) -> Response:
        """Its report, under the report's own policy."""
        page = self._run(request.path_params["key"]).page()
        found = _POLICY.search(page)
        policy = f"{unescape(found[1]) if found else _CLOSED}; frame-ancestors 'self'"
        return HTMLResponse(page, headers={"Content-Security-Policy": policy})

    def compare(self, request: Request) -> Response:
        """Two runs."""
        keys = (request.query_params.get("a", ""), request.query_params.get("b", ""))
        if not all(keys) or keys[0] == keys[1]:
            wrong = pages.message_page(say("Two runs are needed"), say("Choose one as A and another as B."))
            return HTMLResponse(wrong, 400)
        runs = (self._run(keys[0]), self._run(keys[1]))
        one, two = ((run.live.store, view_so_far(run.live.store)) for run in runs)
        names = (runs[0].name, runs[1].name)
        return HTMLResponse(pages.comparison_page(names, keys, differences(one, two)))

    async def events(self, request: Request) -> Response:
        """What changes in a run, until it is over."""
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        try:
            run = await run_in_threadpool(self._run, request.path_params["key"])
        except NetversusError as error:
            raise HTTPException(422, str(error)) from None
        if self._readers >= MOST_READERS:
            raise HTTPException(503, say("Too many pages follow a run already: close one."))
        return StreamingResponse(self._changes(run), media_type="text/event-stream")

    async def static(self, request: Request) -> Response:
        """A file of ours."""
        name = request.path_params["name"]
        if name not in pages.STATIC:
            raise HTTPException(404, say("There is no such file."))
        return Response(pages.static(name), media_type=pages.STATIC[name])

    async def icon(self, _: Request) -> Response:
        """What browsers ask for without being told to."""
        return Response(pages.static("icon.svg"), media_type=pages.STATIC["icon.svg"])

    def _run(self, key: str) -> _Looked:
        try:
            name, store = self.shelf.open(key)
        except KeyError:
            raise HTTPException(404, say("There is no such run here.")) from None
        with self._lock:
            run = self._looked.setdefault(key, _Looked(name, LiveRun(store)))
            self._looked.move_to_end(key)
            if len(self._looked) > _KEPT:
                self._looked.popitem(last=False)
        return run

    async def _changes(self, run: _Looked) -> AsyncIterator[str]:
        self._readers += 1
        try:
            async for event in _events(run.look, self.closing.is_set):
                yield event
        finally:
            self._readers -= 1


async def _events(look: Callable[[], Snapshot], closing: Callable[[], bool]) -> AsyncIterator[str]:
    """The status whenever it changed; a sign when the report did; a sign when two looks say that the run is over."""
    shown, over, last = "", False, (0.0, 0, 0)
    said = time.monotonic()
    while not closing():
        try:
            snapshot = await run_in_threadpool(look)
        except NetversusError as error:
            yield _event("status", pages.error_part(str(error)))
            return
        status = pages.status_part(snapshot)
        now = time.monotonic()
        if status != shown:
            shown, said = status, now
            yield _event("status", status)
        ended = sum(each.outcome is not None for each in snapshot.cells)
        changed = snapshot.observations != last[1] and now - last[0] >= REPORT_SECONDS
        if last[0] and (changed or ended != last[2]):
            yield _event("report", "")
        if not last[0] or changed or ended != last[2]:
            last = (now, snapshot.observations, ended)
        if snapshot.over and over:
            yield _event("over", "")
            return
        over = snapshot.over
        if now - said >= BEAT_SECONDS:
            said = now
            yield ": still here\n\n"
        await anyio.sleep(LOOK_SECONDS)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def _page(answer: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
    """A page that reads files: in a thread of its own. A run that cannot be read says why."""

    async def endpoint(request: Request) -> Response:
        try:
            return await run_in_threadpool(answer, request)
        except NetversusError as error:
            return HTMLResponse(pages.message_page(say("This run cannot be shown"), str(error)), 422)

    return endpoint


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = say(NOT_FOUND) if error.detail == "Not Found" else error.detail  # the router's own, for an address of none
    return HTMLResponse(pages.message_page(say("Not here"), detail), error.status_code)
