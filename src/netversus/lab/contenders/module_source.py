"""Read the constants of an installed module from its source, without importing it.

Importing torchvision or timm loads torch, which takes from seconds to a minute. Their model tables are plain
literals, calls of one-line functions and `partial`: those are evaluated here, and whatever else there is stays UNKNOWN.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final


class _Unknown:
    """What cannot be told without running the code."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = _Unknown()
_OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class ModuleSource:
    """One module's top level. `given` are values of names that it imports from elsewhere."""

    def __init__(self, path: Path, given: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self._tree = ast.parse(path.read_text(encoding="utf-8"))
        self._known: dict[str, Any] = dict(given or {})

    @cached_property
    def functions(self) -> Mapping[str, ast.FunctionDef]:
        """Functions at the top level, by name."""
        return {node.name: node for node in self._tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def classes(self) -> Mapping[str, ast.ClassDef]:
        """Classes at the top level, by name."""
        return {node.name: node for node in self._tree.body if isinstance(node, ast.ClassDef)}

    @cached_property
    def assigned(self) -> Mapping[str, ast.expr]:
        """The first value that is assigned to each name at the top level."""
        found: dict[str, ast.expr] = {}
        for name, value in _assignments(self._tree.body):
            found.setdefault(name, value)
        return found

    def members(self, name: str) -> dict[str, ast.expr]:
        """What the body of a class assigns."""
        return dict(_assignments(self.classes[name].body))

    def value(self, name: str) -> Any:
        """The value of a name at the top level, or UNKNOWN."""
        if name not in self._known:
            self._known[name] = UNKNOWN  # a name that needs itself ends here
            if name in self.assigned:
                self._known[name] = self.evaluate(self.assigned[name])
        return self._known[name]

    def evaluate(self, node: ast.expr, local: Mapping[str, Any] | None = None) -> Any:
        """The value of an expression, or UNKNOWN; a collection may hold UNKNOWN elements.

        `partial(f, a=1)` becomes {"a": 1}, and an attribute such as `Mode.BICUBIC` its last word.
        """
        local = local or {}
        found: Any = UNKNOWN
        match node:
            case ast.Constant(value=value):
                found = value
            case ast.Name(id=name):
                found = local[name] if name in local else self.value(name)
            case ast.Attribute(attr=name):
                found = name
            case ast.Tuple(elts=items):
                found = tuple(self.evaluate(item, local) for item in items)
            case ast.List(elts=items):
                found = [self.evaluate(item, local) for item in items]
            case ast.Dict():
                found = self._dictionary(node, local)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                found = _applied(operator.neg, self.evaluate(operand, local))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                sides = (self.evaluate(left, local), self.evaluate(right, local))
                found = _applied(_OPERATORS[type(op)], *sides)
            case ast.Call(func=ast.Name(id=name)):
                found = self._call(name, node, local)
        return found

    def _dictionary(self, node: ast.Dict, local: Mapping[str, Any]) -> Any:
        made: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:  # **other
                other = self.evaluate(value, local)
                if not isinstance(other, Mapping):
                    return UNKNOWN
                made.update(other)
            else:
                made[self.evaluate(key, local)] = self.evaluate(value, local)
        return made

    def _call(self, name: str, node: ast.Call, local: Mapping[str, Any]) -> Any:
        arguments = [self.evaluate(argument, local) for argument in node.args]
        keywords: dict[str, Any] = {}
        for keyword in node.keywords:
            value = self.evaluate(keyword.value, local)
            if keyword.arg is not None:
                keywords[keyword.arg] = value
            elif isinstance(value, Mapping):
                keywords.update(value)
            else:
                return UNKNOWN
        if name == "dict":
            return {**(arguments[0] if arguments and isinstance(arguments[0], Mapping) else {}), **keywords}
        if name == "partial":
            return keywords
        if name == "tuple" and arguments and isinstance(arguments[0], list):
            return tuple(arguments[0])
        return self._call_own(name, arguments, keywords)

    def _call_own(self, name: str, arguments: list[Any], keywords: dict[str, Any]) -> Any:
        """A function of the module whose body is one `return`."""
        function = self.functions.get(name)
        body = [s for s in function.body if not _docstring(s)] if function else []
        if function is None or len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
            return UNKNOWN
        names = [a.arg for a in function.args.args]
        defaults = dict(zip(reversed(names), map(self.evaluate, reversed(function.args.defaults)), strict=False))
        bound = {**defaults, **dict(zip(names, arguments, strict=False))}
        bound |= {key: value for key, value in keywords.items() if key in names}
        if function.args.kwarg is not None:
            bound[function.args.kwarg.arg] = {k: v for k, v in keywords.items() if k not in names}
        return self.evaluate(body[0].value, bound)


def _assignments(body: list[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                yield name, value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                yield name, value


def _docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _applied(function: Callable[..., Any], *values: Any) -> Any:
    """A result, or UNKNOWN where an operand is unknown or the operation has none."""
    if any(value is UNKNOWN for value in values):
        return UNKNOWN
    try:
        return function(*values)
    except (TypeError, ArithmeticError):
        return UNKNOWN
