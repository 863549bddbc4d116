"""An S3 server of the tests' own, and a door before it that can be told to misbehave."""

from __future__ import annotations

import http.client
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

SECRET = "planted-secret-5f1c2b"  # must not be found in a run or a report


@dataclass
class Door:
    """A proxy. `fault(number, method, path)` gives a status to answer with instead, or None to let through; `cut` says
    whether the line goes dead in the middle of what is sent back."""

    backend: tuple[str, int]
    fault: Callable[[int, str, str], int | None] = lambda *_: None
    cut: Callable[[int, str, str], bool] = lambda *_: False
    delay: float = 0.0
    severed: int = 0
    count: int = 0
    refused: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        with self._lock:
            self.count += 1
            status = self.fault(self.count, request.command, request.path)
            self.refused += status is not None
            cut = self.cut(self.count, request.command, request.path)
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        time.sleep(self.delay)
        if status is not None:
            code = {500: "InternalError", 503: "SlowDown"}.get(status, "AccessDenied")
            self._send(
                request, status, {"Content-Type": "application/xml"}, f"<Error><Code>{code}</Code></Error>".encode()
            )
            return
        connection = http.client.HTTPConnection(*self.backend, timeout=30)
        connection.request(request.command, request.path, body, dict(request.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if cut and len(content) > 1:
            with self._lock:
                self.severed += 1
            self._send(request, answer.status, dict(answer.headers), content, most=len(content) // 2)
            request.close_connection = True
            return
        self._send(request, answer.status, dict(answer.headers), content)

    @staticmethod
    def _send(
        request: BaseHTTPRequestHandler, status: int, headers: dict[str, str], content: bytes, most: int | None = None
    ) -> None:
        request.send_response(status)
        for name, value in headers.items():
            dropped = {"transfer-encoding", "connection", "server", "date"}
            if request.command != "HEAD":
                dropped.add("content-length")
            if name.lower() not in dropped:
                request.send_header(name, value)
        if request.command != "HEAD":
            request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content[:most])


@pytest.fixture(scope="session")
def backend() -> Iterator[tuple[str, int]]:
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    yield server.get_host_and_port()
    server.stop()


@pytest.fixture
def door(backend: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """The way to the store, set in the environment as a user would."""
    fsspec = pytest.importorskip("fsspec")
    pytest.importorskip("s3fs")
    opened = Door(backend)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            opened.answer(self)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _any  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "tests")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_RETRY_MODE", "standard")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    yield opened
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server.shutdown()
    server.server_close()


@pytest.fixture
def bucket(door: Door) -> str:
    import fsspec

    name = f"runs-{uuid.uuid4().hex[:12]}"
    fsspec.filesystem("s3").mkdir(name)
    return f"s3://{name}"
