"""The formats, found by looking into `formats/`."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from netversus.errors import OptionError, nearest
from netversus.exports import formats
from netversus.exports.format import Format


@cache
def find_formats() -> Mapping[str, Format]:
    """Every format by name, sorted. Loads no optional package."""
    modules = (import_module(f"{formats.__name__}.{m.name}") for m in pkgutil.iter_modules(formats.__path__))
    found = {module.FORMAT.name: module.FORMAT for module in modules}
    return dict(sorted(found.items()))


def get_format(name: str) -> Format:
    """A format by name.

    Raises:
        OptionError: there is none of that name; the hint names the nearest.
    """
    known = find_formats()
    if name not in known:
        hint = nearest(name, known) or f"the formats are {', '.join(known)}"
        raise OptionError(f"there is no format {name!r} to export as", hint=hint)
    return known[name]
