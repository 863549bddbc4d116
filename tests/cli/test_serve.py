"""`serve`: what it says, how it ends, and what it refuses. Each server is a real one."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from netversus.browse.serving import address_of, listen
from netversus.browse.shelf import key_of

GOLDEN = Path(__file__).parents[1] / "golden" / "run"


@contextmanager
def served(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], list[str], str]]:
    """A server process, what it said until it was ready, and its address."""
    command = [sys.executable, "-m", "netversus.cli.__main__", "serve", *arguments, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout
        said = [process.stdout.readline()]
        found = re.search(r"http://\S+/", said[0])
        assert found, said + process.stdout.readlines()
        yield process, said, found[0]
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    shutil.copytree(GOLDEN, tmp_path / "runs" / "golden")
    return tmp_path / "runs"


def test_it_answers_on_this_machine_alone_and_ends_when_interrupted_while_somebody_follows(runs: Path):
    plan = next((runs / "golden" / "cells").glob("accuracy-*")) / "outcome.json"
    plan.unlink()  # a run that has not ended is followed
    with served(str(runs)) as (process, said, address):
        assert address.startswith("http://127.0.0.1:")
        assert "may read" not in said[0]
        with httpx.stream("GET", f"{address}events/{key_of('golden')}", timeout=30) as events:
            assert next(events.iter_lines()) == "event: status"
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=30) == 0
        assert process.stdout
        assert process.stdout.read().strip() == "ended"


def test_a_path_that_climbs_is_found_nowhere_whatever_the_client_sends(runs: Path):
    with served(str(runs)) as (_, _, address):
        for path in (
            "/../../etc/passwd",
            "/run/..",
            "/static/../../pages.py",
            "//etc/passwd",
            "/run/%00",
            "/report/%ff",
        ):
            connection = http.client.HTTPConnection(address.split("/")[2], timeout=30)
            connection.request("GET", path)  # as it stands: a browser would make it shorter
            assert connection.getresponse().status == 404, path
            connection.close()


def test_a_port_that_is_taken_is_one_line(netversus, runs: Path):
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        ended = netversus("serve", str(runs), "--port", str(port))
    assert ended.code == 2
    assert f"port {port} of 127.0.0.1 is in use" in ended.err
    assert "--port" in ended.err
    assert ended.err.count("\n") == 1


def test_an_address_that_is_none_is_one_line(netversus, runs: Path):
    for host in ("no.such.host.invalid", "192.0.2.1"):
        ended = netversus("serve", str(runs), "--host", host, "--port", "0")
        assert ended.code == 2
        assert host in ended.err
        assert ended.err.count("\n") == 1


def test_a_folder_that_is_none_is_one_line(netversus, tmp_path: Path):
    ended = netversus("serve", str(tmp_path / "nowhere"))
    assert ended.code == 2
    assert "there is no folder" in ended.err


def test_a_missing_extra_is_named(netversus, runs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("netversus.cli.serve.find_spec", lambda name: None)
    ended = netversus("serve", str(runs))
    assert ended.code == 2
    assert "netversus[serve]" in ended.err
    assert ended.err.count("\n") == 1


def test_whoever_opens_it_to_others_is_told_and_the_browser_is_opened(netversus, runs: Path, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or True)
    monkeypatch.setattr("netversus.browse.serving.serve", lambda site, listener, ready: (ready(), listener.close()))
    ended = netversus("serve", str(runs), "--host", "0.0.0.0", "--port", "0", "--open")
    assert ended.code == 0
    assert "whoever reaches 0.0.0.0 may read every run" in ended.out
    assert opened == re.findall(r"http://127\.0\.0\.1:\d+/", ended.out)


def test_an_address_of_version_six_is_written_in_brackets():
    try:
        listener = listen("::1", 0)
    except Exception:  # noqa: BLE001
        pytest.skip("this machine has no IPv6")
    with listener:
        assert re.fullmatch(r"http://\[::1\]:\d+/", address_of(listener))


def test_a_socket_in_the_kernel_s_waiting_state_does_not_hold_the_port():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            first.accept()[0].close()
    with listen("127.0.0.1", port):
        assert os.getpid()
