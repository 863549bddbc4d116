"""The run folder: what was asked, planned, seen and derived. Atomic, content-keyed, resumable; loads no torch.

    RUN/
      run.json                  schema version, id, when it was made
      plans/0001.json           each plan in turn; the newest is in force, the first to name a margin declared it
      sessions/0001.json        each process that worked on the run: versions, machine, command
      units-<split>.parquet     the images' ids, labels and nuisance factors
      findings.json, report.*   derived; rebuilt at will
      lock                      held by the process that works on the run
      settled/<name>.json       what all cells go by (the engine that "auto" chose for a contender): the first that is
                                written stays
      cells/<key>/
        cell.json               what the cell is
        observations-0001-<mark>.parquet ...   one part a flush, never rewritten; the mark is its writer's
        artifacts/[<contender>/]<name>
        state/                  what a half-done cell needs to go on; removed when it is done
        outcome.json            present when the cell has ended

A file is there whole or not at all (see `netversus.files`). A cell may be run by two processes at once, for a cluster
delivers a task twice when it thinks that a worker is gone: their parts lie side by side, and a unit counts once.

Schema history
    1   the first.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from netversus.errors import RunFolderError
from netversus.files import Files, LocalFiles, is_remote, open_files
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


def new_run_path(parent: Path, label: str) -> Path:
    """A fresh folder name under `parent`: the label, the date, and a counter where that is taken."""
    stem = f"{re.sub(r'[^A-Za-z0-9.-]+', '-', label).strip('-')[:60]}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    path, count = parent / stem, 1
    while path.exists():
        count += 1
        path = parent / f"{stem}-{count}"
    return path


_Observed = Mapping[tuple[str, str], Sample]


class _Recent:
    """What was read last of a run's cells: findings and report ask for the same, one after the other. Parts are never
    rewritten, so that a cell with the same parts has the same observations."""

    def __init__(self, most: int = 4) -> None:
        self.most = most
        self._kept: dict[str, tuple[list[str], _Observed]] = {}

    def get(self, place: str, parts: list[str]) -> _Observed | None:
        """The observations of these parts, if they are still known."""
        known = self._kept.get(place)
        return known[1] if known and known[0] == parts else None

    def put(self, place: str, parts: list[str], observed: _Observed) -> None:
        """Keep them; the oldest others go."""
        self._kept.pop(place, None)
        self._kept[place] = (parts, observed)
        while len(self._kept) > self.most:
            del self._kept[next(iter(self._kept))]


class CellStore:
    """One cell's folder."""

    def __init__(self, files: Files | Path, recent: _Recent | None = None) -> None:
        self.files = LocalFiles(files) if isinstance(files, Path) else files
        self._recent = recent or _Recent()
        self._seen: dict[tuple[str, str], set[str]] | None = None
        self._mark = uuid.uuid4().hex[:8]

    def begin(self, cell: Cell) -> None:
        """Write down what the cell is, before anything is observed."""
        if not self.files.exists("cell.json"):
            self.files.write("cell.json", TypeAdapter(Cell).dump_json(cell, indent=1))

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
        number = max((int(name.split("-")[1].split(".")[0]) for name in self._parts()), default=0) + 1
        self.files.write(f"observations-{number:04d}-{self._mark}.parquet", sink.getvalue().to_pybytes())

    def _parts(self) -> list[str]:
        found = (name for name in self.files.names("") if re.fullmatch(r"observations-\d+(-\w+)?\.parquet", name))
        return sorted(found, key=lambda name: (int(re.split("[-.]", name)[1]), name))

    def observations(self) -> Mapping[tuple[str, str], Sample]:
        """All that was observed: (contender, metric) -> units and values, in stored order."""
        parts = self._parts()
        found = self._recent.get(self.files.place, parts)
        if found is None:
            tables = [self._read(part) for part in parts]
            found = MappingProxyType(_split(pa.concat_tables(tables).combine_chunks()) if tables else {})
            self._recent.put(self.files.place, parts, found)
        return found

    def new_parts(self, known: Collection[str]) -> Iterator[tuple[str, Mapping[tuple[str, str], Sample]]]:
        """The parts that are not among `known`, by name, each with what it holds: for those who read while another
        process writes. A part is never rewritten."""
        for part in self._parts():
            if part not in known:
                yield part, _split(self._read(part))

    def _read(self, part: str) -> pa.Table:
        try:
            # Not `read_table`, which loads a machinery for data sets of many files, and pandas with it.
            table = pq.ParquetFile(pa.BufferReader(self.files.read(part))).read().select(_SCHEMA.names).cast(_SCHEMA)
            table.validate(full=True)  # what a damaged page says of its strings is believed only later
        except (pa.ArrowException, OSError, KeyError) as error:
            raise RunFolderError(f"cannot read the observations in {self.files.place}: {error}") from None
        if any(column.null_count for column in table.columns):
            raise RunFolderError(f"cannot read the observations in {self.files.place}: {part} has rows with gaps")
        return table

    def units(self, contender: str, metric: str) -> set[str]:
        """The units on which a contender's metric is stored: read once, kept current by `append`."""
        if self._seen is None:
            self._seen = {pair: set(series.units) for pair, series in self.observations().items()}
        return self._seen.setdefault((contender, metric), set())

    def add_artifact(self, artifact: Artifact) -> None:
        """Keep an artifact; one of the same name is replaced."""
        self.files.write(_artifact_name(artifact.name, artifact.contender), artifact.content)

    def artifact_path(self, name: str, contender: str = "") -> Path:
        """An artifact as a file of this machine, for libraries that open paths."""
        return self.files.local(_artifact_name(name, contender))

    def artifact(self, name: str, contender: str = "") -> bytes | None:
        """An artifact's bytes, or None."""
        try:
            return self.files.read(_artifact_name(name, contender))
        except FileNotFoundError:
            return None

    def state(self) -> Path:
        """The folder in which a half-done cell keeps what it needs to go on."""
        return self.files.scratch()

    def end(self, outcome: Outcome) -> None:
        """Write how the cell ended. What only a half-done cell needs goes."""
        self.files.write("outcome.json", _OUTCOME.dump_json(outcome, indent=1))
        if isinstance(outcome, Done):
            shutil.rmtree(self.files.scratch(), ignore_errors=True)

    def outcome(self) -> Outcome | None:
        """How the cell ended, or None while it has not."""
        return _load(_OUTCOME, self.files, "outcome.json")


def _artifact_name(name: str, contender: str) -> str:
    """Where an artifact lies. Names come from studies, contenders from users: neither may leave the folder."""
    if not _FILE_NAME.fullmatch(name):
        raise RunFolderError(f"an artifact's name must be a plain file name, got {name!r}")
    return f"artifacts/{safe_name(contender)}/{name}" if contender else f"artifacts/{name}"


def _split(table: pa.Table) -> dict[tuple[str, str], Sample]:
    """Group the rows by contender and metric, keeping the stored order."""
    contenders = table["contender"].combine_chunks().dictionary_encode()
    metrics = table["metric"].combine_chunks().dictionary_encode()
    # Strings by way of a list: pyarrow's own way to an array of them loads pandas.
    units, values = np.array(table["unit"].to_pylist(), dtype=np.object_), table["value"].to_numpy()
    codes = contenders.indices.to_numpy() * len(metrics.dictionary) + metrics.indices.to_numpy()
    result = {}
    for code in np.unique(codes):
        where = np.flatnonzero(codes == code)
        contender, metric = divmod(int(code), len(metrics.dictionary))
        pair = (contenders.dictionary[contender].as_py(), metrics.dictionary[metric].as_py())
        result[pair] = _once(tuple(units[where].tolist()), values[where].astype(np.float64))
    return result


def _once(units: tuple[str, ...], values: np.ndarray[Any, np.dtype[np.float64]]) -> Sample:
    """Each unit as it was seen first: two processes may have run the cell side by side."""
    first = dict(zip(reversed(units), range(len(units) - 1, -1, -1), strict=True))
    if len(first) == len(units):
        return Sample(units, values)
    keep = sorted(first.values())
    return Sample(tuple(units[i] for i in keep), values[keep])


def safe_name(text: str) -> str:
    """A contender's name as a folder name: readable, and different for different names."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".")[:60]
    if plain == text:
        return plain
    return f"{plain}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _load(adapter: TypeAdapter[T], files: Files, name: str) -> T | None:
    """A record, or None where there is no such file."""
    try:
        return adapter.validate_json(files.read(name))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunFolderError(f"cannot read {files.place}/{name}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        raise RunFolderError(f"{files.place}/{name} is damaged or of another version: {first['msg']}") from None


class RunStore:
    """A run folder, opened or made. `place` is its path or address as people write it."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.place = files.place
        self._recent = _Recent()

    @property
    def path(self) -> Path:
        """The folder of a run on this machine's disk.

        Raises:
            RunFolderError: the run lies in an object store.
        """
        if not isinstance(self.files, LocalFiles):
            raise RunFolderError(f"{self.place} is no folder of this machine")
        return self.files.folder

    @property
    def address(self) -> str:
        """The place as another process finds it."""
        return self.files.address

    @property
    def name(self) -> str:
        """The last part of the place."""
        return self.path.resolve().name if isinstance(self.files, LocalFiles) else self.place.rsplit("/", 1)[-1]

    @classmethod
    def create(cls, place: str | Path) -> RunStore:
        """Make a run folder, or open the one that is there.

        Raises:
            RunFolderError: the place cannot be written, or holds something else.
        """
        files = open_files(place)
        try:
            if files.exists("run.json"):
                return cls.open(place)
            if not files.empty():
                raise RunFolderError(f"{files.place} exists and is not a run folder", hint="name a new folder")
            stamp = datetime.now(UTC).isoformat(timespec="seconds")
            header = {"schema": SCHEMA_VERSION, "id": files.place.rstrip("/").rsplit("/", 1)[-1], "created": stamp}
            files.write("run.json", TypeAdapter(dict[str, Any]).dump_json(header, indent=1))
        except OSError as error:
            raise RunFolderError(f"cannot write the run folder {files.place}: {error.strerror or error}") from None
        return cls(files)

    @classmethod
    def open(cls, place: str | Path | Files) -> RunStore:
        """Open an existing run folder.

        Raises:
            RunFolderError: it is none, or of a version that this netversus does not know.
        """
        files = place if isinstance(place, Files) else open_files(place)
        header = _load(TypeAdapter(dict[str, Any]), files, "run.json")
        if header is None:
            hint = "" if isinstance(place, Files) or is_remote(place) else _nearby_runs(Path(place))
            raise RunFolderError(f"{files.place} is not a run folder: it has no run.json", hint=hint)
        if "created" not in header or "schema" not in header:
            raise RunFolderError(f"{files.place}/run.json is damaged: it lacks its schema version or its date")
        if header["schema"] != SCHEMA_VERSION:
            raise RunFolderError(
                f"{files.place} has schema version {header['schema']}, this netversus reads {SCHEMA_VERSION}",
                hint="use the version that wrote it",
            )
        return cls(files)

    @property
    def created(self) -> str:
        """When the run was made (ISO 8601, UTC)."""
        header = _load(TypeAdapter(dict[str, Any]), self.files, "run.json")
        assert header is not None
        return str(header["created"])

    def locked(self) -> AbstractContextManager[None]:
        """Hold the run for this process.

        Raises:
            RunFolderError: another process works on the run.
        """
        return self.files.held()

    def add_plan(self, plan: Plan) -> None:
        """Make a plan the one in force, unless it is already."""
        plans = self.plans()
        if not plans or plans[-1] != plan:
            self._number("plans", TypeAdapter(Plan).dump_json(plan, indent=1))

    def plans(self) -> tuple[Plan, ...]:
        """Every plan of the run, the oldest first."""
        return tuple(self._all("plans", TypeAdapter(Plan)))

    def plan(self) -> Plan:
        """The plan in force.

        Raises:
            RunFolderError: the run was never planned.
        """
        names = self.files.names("plans")
        plan = _load(TypeAdapter(Plan), self.files, f"plans/{names[-1]}") if names else None
        if plan is None:
            raise RunFolderError(f"{self.place} holds no plan yet", hint="start the comparison again")
        return plan

    def add_session(self, session: Session) -> None:
        """Record one more process that works on the run."""
        self._number("sessions", TypeAdapter(Session).dump_json(session, indent=1))

    def sessions(self) -> tuple[Session, ...]:
        """Every process that worked on the run, the oldest first."""
        return tuple(self._all("sessions", TypeAdapter(Session)))

    def _all(self, folder: str, adapter: TypeAdapter[T]) -> Iterator[T]:
        for name in self.files.names(folder):
            record = _load(adapter, self.files, f"{folder}/{name}")
            if record is not None:
                yield record

    def _number(self, folder: str, content: bytes) -> None:
        count = len(self.files.names(folder))
        self.write(f"{folder}/{count + 1:04d}.json", content)

    def cell(self, cell: Cell | str) -> CellStore:
        """A cell's folder, by the cell or its key.

        Raises:
            RunFolderError: the key is no folder's name. It comes with the plan, and the plan may be a stranger's.
        """
        key = cell if isinstance(cell, str) else cell.key
        if not _FILE_NAME.fullmatch(key):
            raise RunFolderError(f"a cell's key must be a plain name, got {key[:80]!r}")
        return CellStore(self.files.below(f"cells/{key}"), self._recent)

    def outcome(self, cell: Cell) -> Outcome | None:
        """How a cell ended, or None while it has not."""
        return self.cell(cell).outcome()

    def settle(self, name: str, content: bytes) -> bytes:
        """Write down what all cells of the run shall go by, unless that was done; and what they do go by. Several
        processes may do so at once: the first stays."""
        before = self.settled(name)
        if before is not None:
            return before
        self.files.create(_settled(name), content)
        return self.files.read(_settled(name))

    def settled(self, name: str) -> bytes | None:
        """What was settled under a name, or None."""
        try:
            return self.files.read(_settled(name))
        except FileNotFoundError:
            return None

    def add_units(self, split: str, ids: Sequence[str], columns: Mapping[str, Collection[Any]]) -> None:
        """Keep what is known of a split's units: their ids, labels and factors."""
        table = pa.table({"unit": list(ids), **{name: list(values) for name, values in columns.items()}})
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, compression="zstd")
        self.write(f"units-{safe_name(split)}.parquet", sink.getvalue().to_pybytes())

    def units(self, split: str) -> Mapping[str, tuple[Any, ...]]:
        """What is known of a split's units, by column; empty where nothing is.

        Raises:
            RunFolderError: the file is damaged.
        """
        name = f"units-{safe_name(split)}.parquet"
        try:
            table = pq.ParquetFile(pa.BufferReader(self.files.read(name))).read()
            table.validate(full=True)
        except FileNotFoundError:
            return {}
        except (pa.ArrowException, OSError) as error:
            raise RunFolderError(f"cannot read {self.place}/{name}: {error}") from None
        return {name: tuple(table[name].to_pylist()) for name in table.column_names}

    def write_findings(self, findings: Sequence[Finding]) -> None:
        """Keep the findings beside what they were derived from."""
        self.write("findings.json", _FINDINGS.dump_json(tuple(findings), indent=1))

    def write(self, name: str, content: bytes) -> None:
        """Write a file that lies beside the cells.

        Raises:
            RunFolderError: the disk is full, or the place cannot be written. What was measured is stored.
        """
        try:
            self.files.write(name, content)
        except OSError as error:
            raise RunFolderError(
                f"cannot write {name} in the run folder {self.place}: {error.strerror or error}",
                hint=f"make room and go on with: netversus compare --resume {self.place}",
            ) from None


def _settled(name: str) -> str:
    """Where it lies what was settled under a name."""
    return f"settled/{safe_name(name)}.json"


def _nearby_runs(path: Path) -> str:
    """A hint naming the newest runs beside or under the path that was given."""
    for folder in (path, path.parent):
        if folder.is_dir():
            found = sorted(folder.glob("*/run.json"), key=lambda p: p.stat().st_mtime)
            if found:
                return f"the newest run there is {found[-1].parent}"
    return "name the folder that `compare` printed"
