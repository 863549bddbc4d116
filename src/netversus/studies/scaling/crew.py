"""Processes that run the contenders at the same time, one thread each. Loads no torch: they do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from netversus.errors import CellError
from netversus.studies.scaling.worker import HIRED, Hired

WORKER = (sys.executable, "-m", "netversus.studies.scaling.worker")


class Crew:
    """Workers that are hired when they are first needed, and dismissed by `close`; they end with this process, however
    it ends. `hired()` tells for what; their files lie in `folder`."""

    def __init__(self, hired: Callable[[], Hired], folder: Path, command: Sequence[str] = WORKER) -> None:
        self._hired = hired
        self._folder = folder
        self._command = tuple(command)
        self._places: dict[str, int] = {}
        self._workers: list[subprocess.Popen[str]] = []

    def run(self, contender: str, count: int) -> None:
        """Let so many workers show the contender its images at the same time, and wait for all.

        Raises:
            CellError: one of them ended; the message is the last that it said.
        """
        self._hire(count)
        for worker in self._workers[:count]:
            _pipe(worker.stdin).write(f"{self._places[contender]}\n")
            _pipe(worker.stdin).flush()
        for number, worker in enumerate(self._workers[:count]):
            self._wait(number, worker)

    def close(self) -> None:
        """Dismiss the workers."""
        for worker in self._workers:
            worker.kill()
            worker.communicate()
        self._workers.clear()

    def _hire(self, count: int) -> None:
        new = range(len(self._workers), count)
        if not new:
            return
        hired = self._hired()
        self._places = {card.name: place for place, card in enumerate(hired.contenders)}
        file = self._folder / "hired.json"
        file.write_bytes(HIRED.dump_json(hired))
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        for number in new:  # all are started before the first is waited for
            with self._log(number).open("w") as said:
                worker = subprocess.Popen(  # noqa: S603 (this interpreter, a module of ours)
                    [*self._command, str(file)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=said,
                    env={**os.environ, **path},
                    text=True,
                )
            self._workers.append(worker)
        for number in new:
            self._wait(number, self._workers[number])

    def _wait(self, number: int, worker: subprocess.Popen[str]) -> None:
        if not _pipe(worker.stdout).readline():
            lines = self._log(number).read_text(errors="replace").strip().splitlines()
            code = worker.wait()
            self.close()
            raise CellError(f"a worker of the scaling study failed: {lines[-1] if lines else f'it ended with {code}'}")

    def _log(self, number: int) -> Path:
        return self._folder / f"worker-{number}.log"


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None  # it was asked for when the worker was started
    return stream
