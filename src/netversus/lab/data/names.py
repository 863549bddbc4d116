"""File names as unit ids: printable, on one line, and reversible."""

from __future__ import annotations

import os
from urllib.parse import unquote_to_bytes


def escape(path: str) -> str:
    """`path` with `/` between its parts and every character that does not print as `%XX` of its bytes.

    Letters of any script stay as they are; a newline, a right-to-left mark, a byte that is not UTF-8 and the
    percent sign itself are escaped.
    """
    return "".join(c if c.isprintable() and c != "%" else _hex(c) for c in path.replace(os.sep, "/"))


def unescape(name: str) -> str:
    """The path that `escape` was given, with `/` between its parts."""
    return os.fsdecode(unquote_to_bytes(name))


def _hex(character: str) -> str:
    try:
        content = os.fsencode(character)
    except UnicodeEncodeError:  # half a character, as a JSON file may hold and no disk
        content = character.encode("utf-8", "surrogatepass")
    return "".join(f"%{byte:02X}" for byte in content)
