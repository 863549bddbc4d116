"""A stored run for other tools. Loads no torch.

A format is found by looking: a module of `formats/` that holds `FORMAT = Format(...)`. A new format is one new file
there; nothing else changes.
"""

from __future__ import annotations

from netversus.exports.format import Files, Format, Source
from netversus.exports.found import find_formats, get_format
from netversus.exports.writing import export

__all__ = ["Files", "Format", "Source", "export", "find_formats", "get_format"]
