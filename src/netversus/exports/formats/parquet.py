"""Every raw observation and every finding as Parquet: typed, exact, with what the columns mean in the schema."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from netversus import __version__
from netversus.exports.format import Files, Format, Source
from netversus.exports.raw import findings, observations


def _files(source: Source) -> Files:
    yield "observations.parquet", _parquet(observations(source.store), source)
    yield "findings.parquet", _parquet(findings(source.view), source)


def _parquet(table: pa.Table, source: Source) -> bytes:
    about = {"netversus": __version__, "run": source.view.run_id, "rerun": source.view.rerun}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(about), sink, compression="zstd")
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


FORMAT = Format("parquet", "every raw observation and every finding, typed; a folder of two files", _files)
