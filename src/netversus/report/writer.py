"""A view -> a file. The suffix chooses the format; the file is there whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

from netversus.errors import OptionError, RunFolderError, nearest
from netversus.files import write_atomic
from netversus.report import sidecar
from netversus.report.view import ReportView

FORMATS: Mapping[str, str] = {
    ".html": "html",
    ".htm": "html",
    ".md": "markdown",
    ".json": "json_file",
    ".csv": "csv_file",
}
"""Suffix -> the module of this package whose `render(view)` gives the text."""


def write(view: ReportView, target: Path) -> None:
    """Write the report to `target`, in UTF-8.

    Raises:
        OptionError: the suffix names no format.
        RunFolderError: the file cannot be written.
    """
    try:
        for name, content in files(view, target.name).items():
            place = target.parent / name
            place.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(place, content)
    except OSError as error:
        raise RunFolderError(
            f"cannot write the report {target}: {error.strerror or error}", hint="name another place"
        ) from None


def files(view: ReportView, name: str) -> dict[str, bytes]:
    """All files of a report by name, the report itself last: a page that would be larger than `sidecar.LIMIT` with its
    pictures within has them in a folder beside it.

    Raises:
        OptionError: the suffix names no format.
    """
    content = rendered(view, name)
    if len(content) <= sidecar.LIMIT or Path(name).suffix.lower() not in (".html", ".htm"):
        return {name: content}
    from netversus.report import html

    beside = sidecar.Sidecar(f"{Path(name).stem}_files")
    page = html.render(view, beside).encode("utf-8")
    return {**{f"{beside.folder}/{file}": each for file, each in beside.files.items()}, name: page}


def rendered(view: ReportView, name: str) -> bytes:
    """The report as one file in the format that a file name asks for, in UTF-8.

    Raises:
        OptionError: the suffix names no format.
    """
    return _renderer(Path(name))(view).encode("utf-8")


def _renderer(target: Path) -> Callable[[ReportView], str]:
    suffix = target.suffix.lower()
    if suffix not in FORMATS:
        came = f"got {target.suffix!r}" if suffix else "got a name without one"
        raise OptionError(
            f"a report's name must end in .html, .md, .json or .csv, {came}", hint=nearest(suffix, FORMATS)
        )
    module = import_module(f"{__package__}.{FORMATS[suffix]}")
    return module.render  # type: ignore[no-any-return]
