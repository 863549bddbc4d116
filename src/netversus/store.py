"""The run folder: what was asked, planned, seen and derived. Atomic, content-keyed, resumable; loads no torch.

    RUN/
      run.json                  schema version, id, when it was made
      plans/0001.json           each plan in turn; the newest is in force, the first to name a margin declared it
      sessions/0001.json        each process that worked on the run: versions, machine, command
      units-<split>.parquet     the images' ids, labels and nuisance factors
      findings.json, report.*   derived; rebuilt at will
      lock                      held by the process that works on the run
      cells/<key>/
        cell.json               what the cell is
        observations-0001.parquet ...   one part a flush, never rewritten
        artifacts/[<contender>/]<name>
        state/                  what a half-done cell needs to go on; removed when it is done
        outcome.json            present when the cell has ended

Every file is written under a temporary name, synced and renamed: it is there whole or not at all.

Schema history
    1   the first.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from netversus.errors import RunFolderError
from netversus.plan import Plan
from netversus.records import Artifact, Cell, Done, Finding, Observations, Outcome, Session
from netversus.statistics.pairing import Sample

SCHEMA_VERSION = 1
_OUTCOME: TypeAdapter[Outcome] = TypeAdapter(Outcome)
_FINDINGS: TypeAdapter[tuple[Finding, ...]] = TypeAdapter(tuple[Finding, ...])
_SCHEMA = pa.schema(
    [("contender", pa.string()), ("metric", pa.string()), ("unit", pa.string()), ("value", pa.float64())]
)
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}")
T = TypeVar("T")


def write_atomic(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, even after a power cut.

    Raises:
        OSError: the disk is full, the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def new_run_path(parent: Path, label: str) -> Path:
    """A fresh folder name under `parent`: the label, the date, and a counter where that is taken."""
    stem = f"{re.sub(r'[^A-Za-z0-9.-]+', '-', label).strip('-')[:60]}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    path, count = parent / stem, 1
    while path.exists():
        count += 1
        path = parent / f"{stem}-{count}"
    return path


class CellStore:
    """One cell's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[tuple[str, str], set[str]] | None = None

    def begin(self, cell: Cell) -> None:
        """Write down what the cell is, before anything is observed."""
        path = self.folder / "cell.json"
        if not path.exists():
            write_atomic(path, TypeAdapter(Cell).dump_json(cell, indent=1))

    def append(self, batches: Sequence[Observations]) -> int:
        """Flush observations as one more part, leaving out what is stored already. Returns how many were new."""
        rows: list[tuple[str, str, str, float]] = []
        for batch in batches:
            seen = self.units(batch.contender, batch.metric)
            for unit, value in zip(batch.units, batch.values, strict=True):
                if unit not in seen:
                    seen.add(unit)
                    rows.append((batch.contender, batch.metric, unit, value))
        if rows:
            self._write_part(pa.table([list(column) for column in zip(*rows, strict=True)], schema=_SCHEMA))
        return len(rows)

    def _write_part(self, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        number = len(self._parts()) + 1
        write_atomic(self.folder / f"observations-{number:04d}.parquet", sink.getvalue().to_pybytes())

    def _parts(self) -> list[Path]:
        return sorted(self.folder.glob("observations-*.parquet"))

    def observations(self) -> Mapping[tuple[str, str], Sample]:
        """All that was observed: (contender, metric) -> units and values, in stored order."""
        parts = self._parts()
        if not parts:
            return {}
        try:
            table = pa.concat_tables(pq.read_table(part, schema=_SCHEMA) for part in parts)
        except (pa.ArrowException, OSError) as error:
            raise RunFolderError(f"cannot read the observations in {self.folder}: {error}") from None
        return _split(table.combine_chunks())

    def units(self, contender: str, metric: str) -> set[str]:
        """The units on which a contender's metric is stored: read once, kept current by `append`."""
        if self._seen is None:
            self._seen = {pair: set(series.units) for pair, series in self.observations().items()}
        return self._seen.setdefault((contender, metric), set())

    def add_artifact(self, artifact: Artifact) -> None:
        """Keep an artifact; one of the same name is replaced."""
        write_atomic(self.artifact_path(artifact.name, artifact.contender), artifact.content)

    def artifact_path(self, name: str, contender: str = "") -> Path:
        """Where an artifact lies. Names come from studies, contenders from users: neither may leave the folder."""
        if not _FILE_NAME.fullmatch(name):
            raise RunFolderError(f"an artifact's name must be a plain file name, got {name!r}")
        folder = self.folder / "artifacts"
        return folder / _safe_name(contender) / name if contender else folder / name

    def artifact(self, name: str, contender: str = "") -> bytes | None:
        """An artifact's bytes, or None."""
        path = self.artifact_path(name, contender)
        return path.read_bytes() if path.is_file() else None

    def state(self) -> Path:
        """The folder in which a half-done cell keeps what it needs to go on."""
        path = self.folder / "state"
        path.mkdir(parents=True, exist_ok=True)
        return path

    def end(self, outcome: Outcome) -> None:
        """Write how the cell ended. What only a half-done cell needs goes."""
        write_atomic(self.folder / "outcome.json", _OUTCOME.dump_json(outcome, indent=1))
        if isinstance(outcome, Done):
            shutil.rmtree(self.folder / "state", ignore_errors=True)

    def outcome(self) -> Outcome | None:
        """How the cell ended, or None while it has not."""
        path = self.folder / "outcome.json"
        return _load(_OUTCOME, path) if path.is_file() else None


def _split(table: pa.Table) -> dict[tuple[str, str], Sample]:
    """Group the rows by contender and metric, keeping the stored order."""
    contenders = table["contender"].combine_chunks().dictionary_encode()
    metrics = table["metric"].combine_chunks().dictionary_encode()
    units, values = table["unit"].to_numpy(zero_copy_only=False), table["value"].to_numpy()
    codes = contenders.indices.to_numpy() * len(metrics.dictionary) + metrics.indices.to_numpy()
    result = {}
    for code in np.unique(codes):
        where = np.flatnonzero(codes == code)
        contender, metric = divmod(int(code), len(metrics.dictionary))
        pair = (contenders.dictionary[contender].as_py(), metrics.dictionary[metric].as_py())
        result[pair] = Sample(tuple(units[where].tolist()), values[where].astype(np.float64))
    return result


def _safe_name(text: str) -> str:
    """A contender's name as a folder name: readable, and different for different names."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".")[:60]
    if plain == text:
        return plain
    return f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _load(adapter: TypeAdapter[T], path: Path) -> T:
    try:
        return adapter.validate_json(path.read_bytes())
    except OSError as error:
        raise RunFolderError(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RunFolderError(f"{path} is damaged or of another version: {first['msg']}") from None


class RunStore:
    """A run folder, opened or made."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> RunStore:
        """Make a run folder, or open the one that is there.

        Raises:
            RunFolderError: the place cannot be written, or holds something else.
        """
        if (path / "run.json").is_file():
            return cls.open(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunFolderError(f"{path} exists and is not a run folder", hint="name a new folder")
        stamp = datetime.now(UTC).isoformat(timespec="seconds")
        header = {"schema": SCHEMA_VERSION, "id": path.name, "created": stamp}
        try:
            write_atomic(path / "run.json", TypeAdapter(dict[str, Any]).dump_json(header, indent=1))
        except OSError as error:
            raise RunFolderError(f"cannot write the run folder {path}: {error.strerror}") from None
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> RunStore:
        """Open an existing run folder.

        Raises:
            RunFolderError: it is none, or of a version that this netversus does not know.
        """
        if not (path / "run.json").is_file():
            raise RunFolderError(f"{path} is not a run folder: it has no run.json", hint=_nearby_runs(path))
        header = _load(TypeAdapter(dict[str, Any]), path / "run.json")
        if header.get("schema") != SCHEMA_VERSION:
            raise RunFolderError(
                f"{path} has schema version {header.get('schema')}, this netversus reads {SCHEMA_VERSION}",
                hint="use the version that wrote it",
            )
        return cls(path)

    @property
    def created(self) -> str:
        """When the run was made (ISO 8601, UTC)."""
        return str(_load(TypeAdapter(dict[str, Any]), self.path / "run.json")["created"])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process. The system frees it when the process ends, however it ends.

        Raises:
            RunFolderError: another process works on the run.
        """
        try:
            handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise RunFolderError(f"cannot write the run folder {self.path}: {error.strerror}") from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunFolderError(f"another process is working on {self.path}", hint="wait for it to end") from None
            yield
        finally:
            os.close(handle)

    def add_plan(self, plan: Plan) -> None:
        """Make a plan the one in force, unless it is already."""
        plans = self.plans()
        if not plans or plans[-1] != plan:
            self._number("plans", TypeAdapter(Plan).dump_json(plan, indent=1))

    def plans(self) -> tuple[Plan, ...]:
        """Every plan of the run, the oldest first."""
        return tuple(_load(TypeAdapter(Plan), path) for path in sorted((self.path / "plans").glob("*.json")))

    def plan(self) -> Plan:
        """The plan in force.

        Raises:
            RunFolderError: the run was never planned.
        """
        paths = sorted((self.path / "plans").glob("*.json"))
        if not paths:
            raise RunFolderError(f"{self.path} holds no plan yet", hint="start the comparison again")
        return _load(TypeAdapter(Plan), paths[-1])

    def add_session(self, session: Session) -> None:
        """Record one more process that works on the run."""
        self._number("sessions", TypeAdapter(Session).dump_json(session, indent=1))

    def sessions(self) -> tuple[Session, ...]:
        """Every process that worked on the run, the oldest first."""
        paths = sorted((self.path / "sessions").glob("*.json"))
        return tuple(_load(TypeAdapter(Session), path) for path in paths)

    def _number(self, folder: str, content: bytes) -> None:
        count = len(list((self.path / folder).glob("*.json")))
        write_atomic(self.path / folder / f"{count + 1:04d}.json", content)

    def cell(self, cell: Cell | str) -> CellStore:
        """A cell's folder, by the cell or its key."""
        return CellStore(self.path / "cells" / (cell if isinstance(cell, str) else cell.key))

    def outcome(self, cell: Cell) -> Outcome | None:
        """How a cell ended, or None while it has not."""
        return self.cell(cell).outcome()

    def add_units(self, split: str, ids: Sequence[str], columns: Mapping[str, Collection[Any]]) -> None:
        """Keep what is known of a split's units: their ids, labels and factors."""
        table = pa.table({"unit": list(ids), **{name: list(values) for name, values in columns.items()}})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        write_atomic(self.path / f"units-{_safe_name(split)}.parquet", sink.getvalue().to_pybytes())

    def units(self, split: str) -> Mapping[str, tuple[Any, ...]]:
        """What is known of a split's units, by column; empty where nothing is."""
        path = self.path / f"units-{_safe_name(split)}.parquet"
        if not path.is_file():
            return {}
        table = pq.read_table(path)
        return {name: tuple(table[name].to_pylist()) for name in table.column_names}

    def write_findings(self, findings: Sequence[Finding]) -> None:
        """Keep the findings beside what they were derived from."""
        write_atomic(self.path / "findings.json", _FINDINGS.dump_json(tuple(findings), indent=1))


def _nearby_runs(path: Path) -> str:
    """A hint naming the newest runs beside or under the path that was given."""
    for folder in (path, path.parent):
        if folder.is_dir():
            found = sorted(folder.glob("*/run.json"), key=lambda p: p.stat().st_mtime)
            if found:
                return f"the newest run there is {found[-1].parent}"
    return "name the folder that `compare` printed"
