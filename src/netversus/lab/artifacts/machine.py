"""A pickle machine that runs nothing: it follows every opcode on a stack of stand-ins and writes down what a real
machine would have imported, called and changed.

It keeps CPython's rules to the letter where they decide what a name means (memo, marks, the protocol's old names),
because a scanner that keeps other rules sees another program. What it cannot follow is never clean.
"""

from __future__ import annotations

from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from netversus.lab.artifacts import names
from netversus.lab.artifacts.calls import RefusedError, made
from netversus.lab.artifacts.claims import TensorClaim
from netversus.lab.artifacts.findings import BrokenError, Budget, Findings, Verdict, printable
from netversus.lab.artifacts.opcodes import NAMES, argument
from netversus.lab.artifacts.values import Bag, GlobalRef, Instance, Pairs, Unknown, show
from netversus.messages import noted, template

STEP = 1024  # opcodes between two looks at the clock
LOAD_FROM_BYTES = "torch.storage._load_from_bytes"  # how torch pickles a tensor outside torch.save


@dataclass
class Scene:
    """Where a pickle lies: what it may do there, and whom it tells.

    `persistent(id, at)` gives what a persistent id stands for; None: there are none. `inner(bytes, where)` is told
    of bytes that may be a file of their own. `raw(wrapper, at)` gives where a raw array after `at` ends.
    """

    findings: Findings
    budget: Budget
    where: str = ""
    script: bool = False
    persistent: Callable[[Any, int], Any] | None = None
    inner: Callable[[bytes, str], None] | None = None
    raw: Callable[[Instance, int], int] | None = None

    def tell(self, kind: Verdict, what: str, at: int | None = None) -> None:
        """Keep one line of evidence."""
        self.findings.add(kind, what, self.where, at)


@dataclass
class Machine:
    """One stream, from its first opcode to STOP."""

    data: memoryview
    scene: Scene
    stack: list[Any] = field(default_factory=list)
    below: list[list[Any]] = field(default_factory=list)
    memo: dict[int, Any] = field(default_factory=dict)
    protocol: int = 0
    frame_end: int | None = None
    start: int = 0
    at: int = 0
    next: int = 0

    def run(self, start: int) -> tuple[Any, int]:
        """Follow the stream that begins at `start`: its value, and where the bytes after it begin.

        Raises:
            BrokenError: it ends early, or no machine could follow it.
            OutOfBudgetError: it is longer than the scan may read.
        """
        self.start = self.next = start
        steps = 0
        while True:
            self.at = self.next
            if self.at >= len(self.data):
                raise BrokenError(noted("the pickle ends without its last opcode"), self.at)
            self._in_frame()
            name = NAMES.get(self.data[self.at])
            if name is None:
                raise BrokenError(noted("there is no opcode 0x{code}", code=f"{self.data[self.at]:02x}"), self.at)
            given = self._argument(name)
            steps += 1
            if steps % STEP == 0:
                self.scene.budget.step(STEP)
            if name == "STOP":
                return self._stop(), self.next
            self._follow(name, given)

    def _follow(self, name: str, given: Any) -> None:
        try:
            _OPCODES[name](self, given)
        except (IndexError, KeyError):
            raise BrokenError(noted("{name} finds nothing to work on", name=name), self.at) from None

    def _argument(self, name: str) -> Any:
        """What follows the opcode. Where a frame ends within it, CPython's C code, reading an io.BytesIO, drops what it
        has read so far and begins anew behind the frame, so that another name is imported than is written."""
        try:
            given, self.next = argument(name, self.data, self.at + 1)
        except BrokenError:
            if self.frame_end is not None and name != "FRAME":
                self._split(name)
            raise
        if self.frame_end is not None and self.next > self.frame_end:
            self._split(name)
        return given

    def _split(self, name: str) -> None:
        what = noted("{name} reaches across the end of a frame, where machines differ in what they read", name=name)
        self.scene.tell(Verdict.HOSTILE, what, self.at)
        if name in {"GLOBAL", "INST"} and self.frame_end is not None:
            with suppress(BrokenError):
                self.named(*argument(name, self.data, self.frame_end)[0])

    # -- frames ---------------------------------------------------------------------------------------------------

    def _in_frame(self) -> None:
        """Frames are hints for reading ahead; where they do not end between two opcodes, machines differ."""
        if self.frame_end is not None and self.at >= self.frame_end:
            if self.at > self.frame_end:
                self._odd(noted("an opcode reaches across the end of a frame"))
            self.frame_end = None

    def _frame(self, size: int) -> None:
        if self.frame_end is not None:
            self._odd(noted("a frame begins within a frame"))
        if self.next + size > len(self.data):
            self._odd(
                noted(
                    "a frame claims {size} bytes where there are {n}",
                    size=f"{size:,}",
                    n=f"{len(self.data) - self.next:,}",
                )
            )
        self.frame_end = self.next + size

    def _stop(self) -> Any:
        if self.frame_end is not None and self.next != self.frame_end:
            self._odd(noted("the stream stops within a frame"))
        if not self.stack or self.below:
            raise BrokenError(noted("the pickle stops with nothing to give, or within a mark"), self.at)
        if len(self.stack) > 1:
            self._odd(noted("{n} values are left on the stack", n=len(self.stack) - 1))
        return self.stack.pop()

    def _odd(self, what: str) -> None:
        """What no honest pickler writes."""
        self.scene.tell(Verdict.SUSPICIOUS, noted("{what}, which no pickler writes", what=what), self.at)

    def _proto(self, protocol: int) -> None:
        if self.at != self.start:
            self._odd(noted("the protocol changes midway"))
        if protocol > 5:
            raise BrokenError(noted("there is no pickle protocol {n}", n=protocol), self.at)
        self.protocol = protocol

    # -- the stack ------------------------------------------------------------------------------------------------

    def push(self, value: Any) -> None:
        """An opcode's own value: a number, text, or bytes that may be a pickle themselves."""
        if isinstance(value, bytes) and self.scene.inner is not None and len(value) > 3:
            self.scene.inner(value, noted("bytes within the pickle"))
        self.stack.append(value)

    def _text(self, value: bytes) -> None:
        """Python 2's strings are read as text, as torch reads them."""
        if self.scene.inner is not None and len(value) > 3:
            self.scene.inner(value, noted("a string within the pickle"))
        try:
            self.stack.append(value.decode("utf-8"))
        except UnicodeDecodeError:
            self.stack.append(value.decode("latin-1"))

    def _mark(self, _: Any) -> None:
        self.below.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """What was pushed since the last mark."""
        items = self.stack
        self.stack = self.below.pop()
        return items

    def _pop(self, _: Any) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.marked()

    def _pop_mark(self, _: Any) -> None:
        self.marked()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    # -- the memo -------------------------------------------------------------------------------------------------

    def _put(self, index: Any) -> None:
        self._remember(index, self.stack[-1])

    def _memoize(self, _: Any) -> None:
        self._remember(len(self.memo), self.stack[-1])

    def _remember(self, index: Any, value: Any) -> None:
        if not isinstance(index, int) or index < 0:
            raise BrokenError(noted("a memo entry without a number"), self.at)
        if index in self.memo and self.memo[index] is not value:
            self._odd(noted("memo entry {n} is written over", n=index))
        if index > 16 * len(self.data):
            self._odd(noted("a memo entry numbered {n}", n=f"{index:,}"))
        self.memo[index] = value

    def _get(self, index: Any) -> None:
        self.stack.append(self.memo[index])

    # -- containers -----------------------------------------------------------------------------------------------

    def _tuple(self, count: int) -> None:
        if len(self.stack) < count:
            raise BrokenError(noted("a tuple of more than there is"), self.at)
        self.stack[-count:] = [tuple(self.stack[-count:])]

    def _dict(self, _: Any) -> None:
        pairs = Pairs(self._paired(self.marked()))  # first: it brings back the stack below the mark
        self.stack.append(pairs)

    def _paired(self, items: list[Any]) -> list[tuple[Any, Any]]:
        if len(items) % 2:
            raise BrokenError(noted("a key without a value"), self.at)
        return list(zip(items[::2], items[1::2], strict=True))

    def _append(self, _: Any) -> None:
        item = self.stack.pop()
        self._extend([item])

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        else:
            self._foreign(target, template("appends to {target}, which is no plain container"))

    def _setitem(self, _: Any) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._setitems([key, value])

    def _setitems(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Pairs):
            target.items.extend(self._paired(items))
        else:
            self._foreign(target, template("sets items of {target}, which is no plain container"))

    def _additems(self, _: Any) -> None:
        items = self.marked()
        target = self.stack[-1]
        if isinstance(target, Bag):
            target.items.extend(items)
        else:
            self._foreign(target, template("adds to {target}, which is no plain container"))

    def _foreign(self, target: Any, how: str) -> None:
        """An operation that runs a method of `target`, which is none of the plain containers; `how` is a template."""
        if isinstance(target, Unknown):
            return  # what made it is told already
        kind = Verdict.HOSTILE if isinstance(target, GlobalRef) else Verdict.SUSPICIOUS
        self.scene.tell(kind, noted(how, target=show(target)), self.at)

    # -- names and calls ------------------------------------------------------------------------------------------

    def _global(self, name: tuple[str, str]) -> None:
        self.stack.append(self.named(*name))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            what = noted("a name is computed, not written: {module} and {name}", module=show(module), name=show(name))
            self.scene.tell(Verdict.HOSTILE, what, self.at)
            self.stack.append(GlobalRef("unknown", "unknown", self.at, Verdict.HOSTILE))
            return
        self.stack.append(self.named(module, name))

    def named(self, module: str, name: str) -> GlobalRef:
        """A global, under the name that a machine of this protocol would import."""
        if self.protocol < 3:
            if (module, name) in NAME_MAPPING:
                module, name = NAME_MAPPING[module, name]
            elif module in IMPORT_MAPPING:
                module = IMPORT_MAPPING[module]
        verdict, why = names.judge(module, name, script=self.scene.script)
        whole = f"{module}.{name}"
        if whole == LOAD_FROM_BYTES:
            verdict, why = Verdict.SUSPICIOUS, noted("which unpickles without any check")
        seen = self.scene.findings.globals
        seen[whole] = seen.get(whole, 0) + 1
        if verdict is not Verdict.CLEAN:
            self.scene.tell(verdict, noted("names {name}, {why}", name=printable(whole), why=why), self.at)
        return GlobalRef(module, name, self.at, verdict)

    def call(self, function: Any, arguments: Any, how: str) -> Any:
        """What calling gives; what may not be called is told."""
        if isinstance(function, GlobalRef) and function.verdict is Verdict.CLEAN:
            return self._allowed(function, arguments, how)
        what = noted(
            "would call {function} with {arguments} by {how}",
            function=printable(show(function)),
            arguments=printable(show(arguments)),
            how=how,
        )
        if isinstance(function, GlobalRef):
            self.scene.tell(function.verdict, what, self.at)
            self._load_from_bytes(function, arguments)
            return Unknown(function.whole)
        self.scene.tell(Verdict.SUSPICIOUS if isinstance(function, Unknown) else Verdict.HOSTILE, what, self.at)
        return Unknown(show(function))

    def _allowed(self, function: GlobalRef, arguments: Any, how: str) -> Any:
        if self.scene.script and function.module.startswith("__torch__"):
            return Instance(function.whole)
        try:
            return made(function.whole, arguments)
        except RefusedError as refused:
            what = noted(
                "calls {name} by {how} as no writer of weights does: {why}",
                name=function.whole,
                how=how,
                why=printable(str(refused)),
            )
            self.scene.tell(Verdict.SUSPICIOUS, what, self.at)
            return Unknown(function.whole)

    def _load_from_bytes(self, function: GlobalRef, arguments: Any) -> None:
        """The bytes are a file of their own."""
        bytes_given = isinstance(arguments, tuple) and len(arguments) == 1 and isinstance(arguments[0], bytes)
        if function.whole == LOAD_FROM_BYTES and bytes_given and self.scene.inner is not None:
            self.scene.inner(arguments[0], noted("loaded by {function}", function=LOAD_FROM_BYTES))

    def _reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(self.call(function, arguments, "REDUCE"))

    def _newobj(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(self.call(function, arguments, "NEWOBJ"))

    def _newobj_ex(self, _: Any) -> None:
        named, arguments, function = self.stack.pop(), self.stack.pop(), self.stack.pop()
        if not isinstance(named, Pairs) or named.items:
            self.scene.tell(
                Verdict.SUSPICIOUS, noted("makes {function} with named arguments", function=show(function)), self.at
            )
        self.stack.append(self.call(function, arguments, "NEWOBJ_EX"))

    def _obj(self, _: Any) -> None:
        marked = self.marked()
        self._old("OBJ")
        self.stack.append(self.call(marked[0], tuple(marked[1:]), "OBJ"))

    def _inst(self, name: tuple[str, str]) -> None:
        arguments = tuple(self.marked())
        self._old("INST")
        self.stack.append(self.call(self.named(*name), arguments, "INST"))

    def _old(self, opcode: str) -> None:
        self.scene.tell(
            Verdict.SUSPICIOUS, noted("uses {opcode}, which no writer of weights does", opcode=opcode), self.at
        )

    def _ext(self, code: int) -> None:
        what = noted("calls up entry {n} of the process's own registry of globals, whatever that is", n=code)
        self.scene.tell(Verdict.SUSPICIOUS, what, self.at)
        self.stack.append(GlobalRef("copyreg", f"extension {code}", self.at, Verdict.SUSPICIOUS))

    def _build(self, _: Any) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, Instance) and target.kind == names.JOBLIB_ARRAY and self.scene.raw is not None:
            target.state = state
            if self.frame_end == self.next:
                self.frame_end = None  # the numbers lie between two frames
            self.next = self.scene.raw(target, self.next)
            self.stack[-1] = Instance("numpy.ndarray")
            return
        self._attributes(state)
        if isinstance(target, Instance | Pairs):
            self._settle(target, state)
        elif not isinstance(target, Unknown | TensorClaim):
            what = noted("sets attributes of {target}, which every later import sees", target=printable(show(target)))
            self.scene.tell(Verdict.HOSTILE, what, self.at)

    def _settle(self, target: Instance | Pairs, state: Any) -> None:
        kind = target.kind
        allowed = {"OrderedDict", "numpy.dtype", "numpy.ndarray", "argparse.Namespace", "torch.Tensor"}
        own = self.scene.script and kind.startswith("__torch__")
        if kind not in allowed and not own:
            self.scene.tell(
                Verdict.SUSPICIOUS, noted("sets a state of {kind}, which has none", kind=printable(kind)), self.at
            )
        if isinstance(target, Instance):
            target.state = state

    def _attributes(self, state: Any) -> None:
        """Attributes whose names are Python's own change what the object does."""
        parts = state if isinstance(state, tuple) else (state,)
        for key in (key for part in parts if isinstance(part, Pairs) for key, _ in part.items):
            if isinstance(key, str) and key.startswith("__") and key.endswith("__"):
                self.scene.tell(Verdict.HOSTILE, noted("sets the attribute {key}", key=printable(key)), self.at)

    def _persid(self, given: str) -> None:
        self._persistent(given)

    def _binpersid(self, _: Any) -> None:
        self._persistent(self.stack.pop())

    def _persistent(self, given: Any) -> None:
        if self.scene.persistent is None:
            self.scene.tell(
                Verdict.SUSPICIOUS, noted("refers to something outside itself: {given}", given=show(given)), self.at
            )
            self.stack.append(Unknown(noted("a persistent id")))
            return
        self.stack.append(self.scene.persistent(given, self.at))

    def _buffer(self, _: Any) -> None:
        raise BrokenError(noted("it needs buffers from outside the pickle"), self.at)


def _constant(value: Any) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine.stack.append(value)


def _fresh(make: Callable[[], Any]) -> Callable[[Machine, Any], None]:
    return lambda machine, _: machine.stack.append(make())


def _gathered(make: Callable[[list[Any]], Any]) -> Callable[[Machine, Any], None]:
    def gather(machine: Machine, _: Any) -> None:
        made_of = make(machine.marked())  # first: it brings back the stack below the mark
        machine.stack.append(made_of)

    return gather


_OPCODES: Mapping[str, Callable[[Machine, Any], None]] = {
    **dict.fromkeys(
        (
            "INT",
            "LONG",
            "FLOAT",
            "UNICODE",
            "BININT",
            "BININT1",
            "BININT2",
            "BINFLOAT",
            "LONG1",
            "LONG4",
            "BINUNICODE",
            "SHORT_BINUNICODE",
            "BINUNICODE8",
            "BINBYTES",
            "SHORT_BINBYTES",
            "BINBYTES8",
        ),
        Machine.push,
    ),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), Machine._text),  # noqa: SLF001 (its own table)
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine._get),  # noqa: SLF001
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), Machine._put),  # noqa: SLF001
    **dict.fromkeys(("EXT1", "EXT2", "EXT4"), Machine._ext),  # noqa: SLF001
    **dict.fromkeys(("NEXT_BUFFER", "READONLY_BUFFER"), Machine._buffer),  # noqa: SLF001
    "BYTEARRAY8": lambda machine, given: machine.stack.append(Instance("builtins.bytearray", (given,))),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_LIST": _fresh(list),
    "EMPTY_DICT": _fresh(Pairs),
    "EMPTY_SET": _fresh(Bag),
    "LIST": _gathered(list),
    "TUPLE": _gathered(tuple),
    "FROZENSET": _gathered(Bag),
    "DICT": Machine._dict,  # noqa: SLF001
    "TUPLE1": lambda machine, _: machine._tuple(1),  # noqa: SLF001
    "TUPLE2": lambda machine, _: machine._tuple(2),  # noqa: SLF001
    "TUPLE3": lambda machine, _: machine._tuple(3),  # noqa: SLF001
    "MARK": Machine._mark,  # noqa: SLF001
    "POP": Machine._pop,  # noqa: SLF001
    "POP_MARK": Machine._pop_mark,  # noqa: SLF001
    "DUP": Machine._dup,  # noqa: SLF001
    "MEMOIZE": Machine._memoize,  # noqa: SLF001
    "APPEND": Machine._append,  # noqa: SLF001
    "APPENDS": lambda machine, _: machine._extend(machine.marked()),  # noqa: SLF001
    "SETITEM": Machine._setitem,  # noqa: SLF001
    "SETITEMS": lambda machine, _: machine._setitems(machine.marked()),  # noqa: SLF001
    "ADDITEMS": Machine._additems,  # noqa: SLF001
    "GLOBAL": Machine._global,  # noqa: SLF001
    "STACK_GLOBAL": Machine._stack_global,  # noqa: SLF001
    "REDUCE": Machine._reduce,  # noqa: SLF001
    "NEWOBJ": Machine._newobj,  # noqa: SLF001
    "NEWOBJ_EX": Machine._newobj_ex,  # noqa: SLF001
    "OBJ": Machine._obj,  # noqa: SLF001
    "INST": Machine._inst,  # noqa: SLF001
    "BUILD": Machine._build,  # noqa: SLF001
    "PROTO": Machine._proto,  # noqa: SLF001
    "FRAME": Machine._frame,  # noqa: SLF001
    "PERSID": Machine._persid,  # noqa: SLF001
    "BINPERSID": Machine._binpersid,  # noqa: SLF001
}
