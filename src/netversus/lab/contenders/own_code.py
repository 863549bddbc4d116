"""The user's own factories: found and digested without being run. Loads no torch."""

from __future__ import annotations

import ast
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from netversus.errors import SpecError, nearest


def find_factory(target: str) -> Path:
    """The source file of `package.module:factory`. Nothing is imported; the working folder is searched first.

    Raises:
        SpecError: there is no such module, or it has no such name.
    """
    module, _, factory = target.partition(":")
    path = _module_file(module)
    if path.suffix == ".py":
        names = _names(path)
        if factory not in names and "*" not in names:
            raise SpecError(f"{path} defines no {factory!r}", hint=nearest(factory, names))
    return path


def search_path() -> list[str]:
    """Where modules are looked for: the working folder, then Python's own path."""
    return [str(Path.cwd()), *sys.path]


def _module_file(module: str) -> Path:
    places: list[str] | None = search_path()
    spec = None
    for i, part in enumerate(parts := module.split(".")):
        spec = PathFinder.find_spec(part if i == 0 else ".".join(parts[: i + 1]), places)
        if spec is None:
            raise SpecError(f"there is no module {module!r}", hint="run in the folder that holds it, or install it")
        places = list(spec.submodule_search_locations or [])
    if spec is None or spec.origin is None or not Path(spec.origin).is_file():
        raise SpecError(
            f"{module!r} is a folder without code of its own", hint="name the module that defines the factory"
        )
    return Path(spec.origin)


def _names(path: Path) -> set[str]:
    """What a module binds at its top level; "*" where it imports all of another."""
    try:
        tree = ast.parse(path.read_bytes())
    except SyntaxError as error:
        raise SpecError(f"{path} is not valid Python: line {error.lineno}: {error.msg}") from None
    except (ValueError, OSError) as error:  # a null byte; a file that cannot be read
        raise SpecError(f"{path} is not valid Python: {error}") from None
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                found.update(alias.asname or alias.name.partition(".")[0] for alias in names)
    return found
