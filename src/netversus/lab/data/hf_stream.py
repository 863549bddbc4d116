"""A Hugging Face data set that is not downloaded: its parquet files, here or on the hub, read as images are asked for.

The stream that `datasets` offers goes from the first row to the last, and its shuffle mixes what happens to lie in a
buffer: no random sample of the whole, so that no test that stops early may rest on it. Parquet files can do better.
Their footers tell how many rows they have and where, the column of labels is read alone, and an image is had with the
row group that it lies in. So the rows are read in the recorded shuffle; the price is a row group for each of them, and
data sets that are read like this should have small ones. Of the groups that were read last some are held.
"""

from __future__ import annotations

import hashlib
import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from netversus.errors import DataError
from netversus.files import is_remote
from netversus.lab.data.places import Place, RemotePlace, open_place, trace_of

HELD_BYTES: Final = 256 * 2**20  # of row groups; the one in use stays, whatever its size
FILES_AT_ONCE: Final = 16


@dataclass(frozen=True)
class _File:
    """A parquet file with its footer read."""

    place: Place
    footer: Any  # pyarrow's FileMetaData

    def reader(self) -> pq.ParquetFile:
        """A reader of its own for each use, for they are not to be shared by threads."""
        source = self.place.open() if isinstance(self.place, RemotePlace) else self.place.name
        return pq.ParquetFile(source, metadata=self.footer, pre_buffer=isinstance(self.place, RemotePlace))

    @cached_property
    def mark(self) -> str:
        """SHA-256 of the footer: it holds the number of rows, and the sizes, places and ranges of the columns."""
        stop = self.place.size
        return hashlib.sha256(self.place.read(stop - 8 - self.footer.serialized_size, stop)).hexdigest()


class Streamed:
    """One split as parquet files. `features` are those that `datasets` wrote down, or follow from the columns' types.

    Raises:
        DataError: a file cannot be read, or has other columns than the first.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        import datasets

        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            self._files = list(pool.map(_opened, addresses))
        schema = self._files[0].footer.schema.to_arrow_schema()
        for file in self._files[1:]:
            if not file.footer.schema.to_arrow_schema().equals(schema):
                raise DataError(f"{file.place.name} has other columns than {self._files[0].place.name}")
        self.features: Mapping[str, Any] = datasets.Features.from_arrow_schema(schema)
        self.column_names = list(self.features)
        groups = [
            (file, group, file.footer.row_group(group).num_rows)
            for file in self._files
            for group in range(file.footer.num_row_groups)
        ]
        self._groups = [(file, group) for file, group, _ in groups]
        self._starts = [0, *accumulate(rows for _, _, rows in groups)]

    def __len__(self) -> int:
        return int(self._starts[-1])

    def column(self, name: str) -> list[Any]:
        """A whole column, of which the others' bytes are not read."""
        with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
            return [value for part in pool.map(lambda file: _column(file, name), self._files) for value in part]

    def marks(self) -> list[str]:
        """What tells each row from another, as far as its file's footer does: hexadecimal, one a row."""
        return [
            hashlib.sha256(f"{file.mark} {row}".encode()).hexdigest()
            for file in self._files
            for row in range(file.footer.num_rows)
        ]

    @property
    def trace(self) -> str | None:
        """What changes when a file does, for a footer tells of sizes and not of pixels; None where nothing does."""
        return trace_of(file.place for file in self._files)

    def cells(self, name: str) -> Cells:
        """A column's cells one by one."""
        return Cells(self._groups, self._starts, name)

    def said_of_groups(self, name: str) -> str:
        """How much is read for an image, for people."""
        sizes = [_size(file.footer.row_group(group), name) for file, group in self._groups]
        rows = max((stop - start for start, stop in zip(self._starts, self._starts[1:], strict=False)), default=0)
        return f"read by row groups of up to {rows:,} rows and {max(sizes, default=0) / 2**20:.3g} MiB, not downloaded"


class Cells:
    """The cells of one column by their row, read a row group at a time. Safe to use from several threads."""

    def __init__(self, groups: Sequence[tuple[_File, int]], starts: Sequence[int], name: str) -> None:
        self._groups = groups
        self._starts = starts
        self._name = name
        self._held: OrderedDict[int, Future[pa.ChunkedArray]] = OrderedDict()
        self._lock = threading.Lock()

    def __getitem__(self, row: int) -> Any:
        """The cell of a row.

        Raises:
            DataError: its file cannot be read any more.
        """
        place = bisect_right(self._starts, row) - 1
        return self._group(place)[row - self._starts[place]].as_py()

    def _group(self, place: int) -> pa.ChunkedArray:
        """A row group, read by the first thread that asks for it; others wait."""
        with self._lock:
            found = self._held.get(place)
            mine = found is None
            if found is None:
                found = self._held[place] = Future()
            self._held.move_to_end(place)
        if mine:
            try:
                found.set_result(self._read(place))
            except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
                with self._lock:
                    del self._held[place]
                found.set_exception(error)
            self._let_go()
        return found.result()

    def _read(self, place: int) -> pa.ChunkedArray:
        file, group = self._groups[place]
        try:
            with file.reader() as reader:
                return reader.read_row_group(group, columns=[self._name], use_threads=False)[self._name]
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"cannot read {file.place.name}: {_first_line(error)}") from error

    def _let_go(self) -> None:
        """Forget the groups that were not used for longest, until the rest is small enough."""
        with self._lock:
            sizes = {place: f.result().nbytes for place, f in self._held.items() if f.done() and not f.exception()}
            total = sum(sizes.values())
            for place in list(sizes)[:-1]:
                if total <= HELD_BYTES:
                    return
                del self._held[place]
                total -= sizes[place]


def streamed_splits(target: str, config: str | None, revision: str | None) -> dict[str, Streamed]:
    """The splits of a data set whose files are parquet.

    Raises:
        ConnectionError: the hub cannot be reached.
        DataError: its files are of another form.
    """
    import datasets

    local = Path(target).expanduser()
    if local.is_file() and local.suffix == ".parquet":
        return {"data": Streamed([str(local.absolute())])}
    name = str(local.absolute()) if local.exists() else target
    found = datasets.load_dataset_builder(name, config, revision=revision).config.data_files or {}
    files = {str(split): sorted(map(str, several)) for split, several in found.items()}
    others = [file for several in files.values() for file in several if not file.endswith(".parquet")]
    if others or not files:
        what = Path(others[0]).suffix if others else "nothing"
        raise DataError(
            f"{target} cannot be streamed: it holds {what}, and only parquet files can be read in the recorded shuffle",
            hint="give the addresses of its tar files as webdataset:PATTERN"
            if what == ".tar"
            else "leave streaming out, or name a revision with parquet files (the hub makes refs/convert/parquet)",
        )
    return {split: Streamed(several) for split, several in files.items()}


def _opened(address: str) -> _File:
    place = open_place(address) if is_remote(address) else open_place(str(Path(address)))
    try:
        source = place.open() if isinstance(place, RemotePlace) else place.name
        with pq.ParquetFile(source) as file:
            return _File(place, file.metadata)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"cannot read {address}: {_first_line(error)}") from error


def _column(file: _File, name: str) -> list[Any]:
    try:
        with file.reader() as reader:
            return list(reader.read(columns=[name], use_threads=False)[name].to_pylist())
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"cannot read {file.place.name}: {_first_line(error)}") from error


def _size(group: Any, name: str) -> int:
    """Bytes of a column in a row group, with the parts of which it consists."""
    columns = [group.column(i) for i in range(group.num_columns)]
    return sum(c.total_compressed_size for c in columns if c.path_in_schema.partition(".")[0] == name)


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__
