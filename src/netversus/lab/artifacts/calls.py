"""What each allowed global may be called with. A call that passes runs a known constructor on plain data, no more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from netversus.lab.artifacts import names
from netversus.lab.artifacts.claims import ITEM_BYTES, StorageClaim, TensorClaim
from netversus.lab.artifacts.values import Bag, GlobalRef, Instance, Pairs, show
from netversus.messages import noted

Arguments = tuple[Any, ...]


class RefusedError(Exception):
    """Arguments that no honest writer gives to an allowed global."""


def made(whole: str, arguments: Arguments) -> Any:
    """What calling the allowed global `whole` gives.

    Raises:
        RefusedError: it cannot be called, or not with these arguments.
    """
    _need(isinstance(arguments, tuple), noted("its arguments are {given}, no tuple", given=show(arguments)))
    check = _CALLS.get(whole)
    if check is None:
        raise RefusedError(noted("it is a value, not a function"))
    return check(whole, arguments)


def _need(fits: bool, what: str) -> None:
    if not fits:
        raise RefusedError(what)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def numbers(value: Any) -> tuple[int, ...]:
    """A shape or a stride: a tuple of integers, or a torch.Size of them.

    Raises:
        RefusedError: it is something else.
    """
    if isinstance(value, Instance) and value.kind == "torch.Size":
        value = value.args
    if isinstance(value, tuple | list) and all(_is_int(each) for each in value):
        return tuple(value)
    raise RefusedError(noted("expected a tuple of integers, got {given}", given=show(value)))


def _plain(values: Arguments) -> bool:
    """Whether all are numbers, text or bytes."""
    return all(value is None or isinstance(value, bool | int | float | str | bytes) for value in values)


def _simple(whole: str, arguments: Arguments) -> Instance:
    values = tuple(each for each in arguments if not (isinstance(each, Instance) and each.kind in names.TIMES))
    _need(_plain(values), noted("expected plain values, got {given}", given=", ".join(map(show, values))))
    return Instance(whole, arguments)


def _ordered(whole: str, arguments: Arguments) -> Pairs:
    kind = whole.rpartition(".")[2]
    if kind == "defaultdict" and arguments:
        factory, *rest = arguments
        _need(factory is None or _is_plain_class(factory), noted("its factory is {factory}", factory=show(factory)))
        arguments = tuple(rest)
    if not arguments:
        return Pairs(kind=kind)
    _need(len(arguments) == 1, noted("expected one argument at most"))
    (given,) = arguments
    if isinstance(given, Pairs):
        return Pairs(list(given.items), kind)
    pairs = given if isinstance(given, list) else []
    _need(isinstance(given, list), noted("expected pairs, got {given}", given=show(given)))
    _need(all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs), noted("expected pairs"))
    return Pairs([(pair[0], pair[1]) for pair in pairs], kind)


def _is_plain_class(value: Any) -> bool:
    return isinstance(value, GlobalRef) and value.whole in names.PLAIN


def _builtin(whole: str, arguments: Arguments) -> Any:
    made_of: Any = None
    match whole.rpartition(".")[2], arguments:
        case ("set" | "frozenset", () | (list() | tuple(),)):
            made_of = Bag(list(arguments[0]) if arguments else [])
        case ("set" | "frozenset", (Bag() as given,)):
            made_of = Bag(list(given.items))
        case ("list", ()):
            made_of = []
        case ("bytes", ()):
            made_of = b""
        case ("dict", ()):
            made_of = Pairs()
        case ("bytearray", () | (bytes(),) | (str(), "latin1" | "latin-1" | "utf-8")):
            # Given a number it would take that many bytes of memory.
            made_of = Instance(whole, arguments)
        case ("complex" | "range" | "slice", _) if arguments and _plain(arguments):
            made_of = Instance(whole, arguments)
    shown = ", ".join(map(show, arguments)) or noted("nothing")
    _need(made_of is not None, noted("it is called with {given}", given=shown))
    return made_of


def _encode(_whole: str, arguments: Arguments) -> bytes:
    """Bytes in protocols 0 to 2. Another codec's name would make Python import a module of that name."""
    match arguments:
        case (str() as text, "latin1" | "latin-1"):
            try:
                return text.encode("latin-1")
            except UnicodeEncodeError:
                raise RefusedError(noted("its text is not Latin-1")) from None
    raise RefusedError(
        noted("it is called with {given}, expected text and 'latin1'", given=", ".join(map(show, arguments)))
    )


def _size(whole: str, arguments: Arguments) -> Instance:
    return Instance(whole, numbers(arguments[0]) if arguments else ())


def _tensor_class(whole: str, arguments: Arguments) -> Instance:
    _need(not arguments, noted("a tensor made from arguments takes any amount of memory"))
    return Instance(whole)


def _dtype_of(value: Any) -> str:
    _need(
        isinstance(value, GlobalRef) and value.whole in names.DTYPES,
        noted("expected a dtype, got {given}", given=show(value)),
    )
    name = str(value.name)
    _need(name in ITEM_BYTES, noted("elements of {name} are not read here", name=name))
    return name


def _hooks(value: Any) -> None:
    _need(value is None or (isinstance(value, Pairs) and not value.items), noted("it carries hooks"))


def _strided(storage: Any, offset: Any, size: Any, stride: Any) -> TensorClaim:
    _need(isinstance(storage, StorageClaim), noted("expected a storage, got {storage}", storage=show(storage)))
    _need(_is_int(offset), noted("expected an offset, got {offset}", offset=show(offset)))
    return TensorClaim(storage.dtype, numbers(size), numbers(stride), offset, storage)


def _tensor(whole: str, arguments: Arguments) -> TensorClaim:
    """`_rebuild_tensor(storage, offset, size, stride)`, `_v2(…, requires_grad, hooks, metadata)`, `_v3(…, dtype)`."""
    least, most = {"_rebuild_tensor": (4, 4), "_rebuild_tensor_v2": (6, 7)}.get(whole.rpartition(".")[2], (7, 8))
    _need(least <= len(arguments) <= most, noted("it is called with {n} arguments", n=len(arguments)))
    claim = _strided(*arguments[:4])
    if least >= 6:
        _need(isinstance(arguments[4], bool), noted("requires_grad is {given}", given=show(arguments[4])))
        _hooks(arguments[5])
    if least == 7:
        claim.dtype = _dtype_of(arguments[6])
    _metadata(arguments[most - 1] if most > 4 and len(arguments) == most else None)
    return claim


def _metadata(value: Any) -> None:
    fits = value is None or isinstance(value, GlobalRef | Pairs)
    _need(fits, noted("its metadata are {given}", given=show(value)))


def _parameter(whole: str, arguments: Arguments) -> TensorClaim:
    """`_rebuild_parameter(data, requires_grad, hooks)`, with a state, or `Parameter(data, requires_grad)`."""
    _need(1 <= len(arguments) <= 4 and isinstance(arguments[0], TensorClaim), noted("expected a tensor"))
    _need(all(isinstance(each, bool) for each in arguments[1:2]), noted("requires_grad is no truth value"))
    if "_rebuild" in whole:
        for each in arguments[2:3]:
            _hooks(each)
        for each in arguments[3:4]:
            _need(isinstance(each, Pairs), noted("its state is no dictionary"))
    else:
        _need(len(arguments) <= 2, noted("it is called with {n} arguments", n=len(arguments)))
    return arguments[0]  # type: ignore[no-any-return]


def _quantized(_whole: str, arguments: Arguments) -> TensorClaim:
    """`_rebuild_qtensor(storage, offset, size, stride, quantizer, requires_grad, hooks)`."""
    _need(len(arguments) == 7, noted("it is called with {n} arguments", n=len(arguments)))
    claim = _strided(*arguments[:4])
    quantizer = arguments[4]
    _need(isinstance(quantizer, tuple) and len(quantizer) >= 3, noted("its quantizer is no tuple"))
    scheme, *rest = quantizer
    _need(
        isinstance(scheme, GlobalRef) and scheme.whole in names.SCHEMES,
        noted("its scheme is {scheme}", scheme=show(scheme)),
    )
    fits = all(isinstance(each, int | float | TensorClaim) for each in rest)
    _need(fits, noted("scale and zero point are neither numbers nor tensors"))
    _hooks(arguments[6])
    claim.layout = "quantized"
    return claim


def _sparse(_whole: str, arguments: Arguments) -> TensorClaim:
    """`_rebuild_sparse_tensor(layout, (indices, values, size, …))`, or with compressed and plain indices."""
    _need(len(arguments) == 2 and isinstance(arguments[1], tuple), noted("expected a layout and a tuple"))
    layout, data = arguments
    named = isinstance(layout, GlobalRef) and layout.whole in names.LAYOUTS
    made_layout = isinstance(layout, Instance) and layout.kind == "torch.serialization._get_layout"
    _need(named or made_layout, noted("its layout is {layout}", layout=show(layout)))
    parts = tuple(each for each in data if isinstance(each, TensorClaim))
    sizes = [each for each in data if isinstance(each, tuple | Instance)]
    _need(2 <= len(parts) <= 3 and len(sizes) == 1, noted("expected indices, values and a size"))
    return TensorClaim(parts[-1].dtype, numbers(sizes[0]), layout="sparse", parts=parts)


def _meta(_whole: str, arguments: Arguments) -> TensorClaim:
    _need(len(arguments) == 4, noted("it is called with {n} arguments", n=len(arguments)))
    return TensorClaim(_dtype_of(arguments[0]), numbers(arguments[1]), numbers(arguments[2]), layout="meta")


def _device_tensor(_whole: str, arguments: Arguments) -> TensorClaim:
    _need(len(arguments) == 4 and isinstance(arguments[0], TensorClaim), noted("expected a tensor"))
    return arguments[0]  # type: ignore[no-any-return]


def _typed(_whole: str, arguments: Arguments) -> Any:
    """`_rebuild_from_type_v2(function, type, arguments, state)` calls `function`, so that is looked at as a call."""
    _need(len(arguments) == 4, noted("it is called with {n} arguments", n=len(arguments)))
    function, kind, inner, state = arguments
    _need(
        isinstance(function, GlobalRef) and function.whole in names.REBUILDERS,
        noted("it would call {function}", function=show(function)),
    )
    fits = isinstance(kind, GlobalRef) and kind.whole in {"torch.Tensor", "torch.nn.parameter.Parameter"}
    _need(fits, noted("its type is {kind}", kind=show(kind)))
    _need(isinstance(inner, tuple), noted("its arguments are no tuple"))
    keys = [key for key, _ in state.items] if isinstance(state, Pairs) else []
    _need(state is None or isinstance(state, Pairs), noted("its state is no dictionary"))
    _need(
        all(isinstance(key, str) and not key.startswith("__") for key in keys),
        noted("its state sets names like __this__"),
    )
    return made(function.whole, inner)


def _dtype(whole: str, arguments: Arguments) -> Instance:
    _need(
        bool(arguments) and isinstance(arguments[0], str | bytes) and _plain(arguments),
        noted("expected a dtype's name"),
    )
    text = arguments[0] if isinstance(arguments[0], str) else arguments[0].decode("latin-1")
    return Instance(whole, (text, *arguments[1:]))


def _reconstruct(_whole: str, arguments: Arguments) -> Instance:
    match arguments:
        case (GlobalRef() as kind, (0,), (b"b" | "b")) if kind.whole == "numpy.ndarray":
            return Instance("numpy.ndarray")
    raise RefusedError(
        noted("it is called with {given}, expected (ndarray, (0,), b'b')", given=", ".join(map(show, arguments)))
    )


def _scalar(_whole: str, arguments: Arguments) -> Instance:
    match arguments:
        case (Instance(kind="numpy.dtype", args=(str() as code, *_)), (bytes() | str())) if "O" not in code:
            return Instance("numpy scalar")
    raise RefusedError(noted("expected a dtype without objects, and bytes"))


def _from_buffer(_whole: str, arguments: Arguments) -> Instance:
    _need(len(arguments) == 4, noted("it is called with {n} arguments", n=len(arguments)))
    buffer, dtype, shape, _ = arguments
    _need(
        isinstance(buffer, bytes | bytearray) or _is_bytearray(buffer),
        noted("its buffer is {buffer}", buffer=show(buffer)),
    )
    _need(isinstance(dtype, Instance) and dtype.kind == "numpy.dtype", noted("its dtype is {dtype}", dtype=show(dtype)))
    numbers(shape)
    return Instance("numpy.ndarray")


def _is_bytearray(value: Any) -> bool:
    return isinstance(value, Instance) and value.kind == "builtins.bytearray"


def _empty(whole: str, arguments: Arguments) -> Instance:
    _need(not arguments, noted("it is called with {given}", given=", ".join(map(show, arguments))))
    return Instance(whole)


def _script(whole: str, arguments: Arguments) -> Any:
    """TorchScript's lists; a type tag gives its first argument back."""
    name = whole.rpartition(".")[2]
    if name == "build_tensor_from_id":
        _need(len(arguments) == 1 and _is_int(arguments[0]), noted("expected a number"))
        return Instance(whole, arguments)
    _need(
        len(arguments) in {1, 2} and isinstance(arguments[0], list | Pairs),
        noted("it is called with {given}", given=show(arguments)),
    )
    return arguments[0]


_CALLS: Mapping[str, Callable[[str, Arguments], Any]] = {
    **dict.fromkeys(names.PLAIN, _builtin),
    **dict.fromkeys(names.PATHS | names.TIMES, _simple),
    **dict.fromkeys(names.RECONSTRUCT, _reconstruct),
    **dict.fromkeys(names.SCALAR, _scalar),
    **dict.fromkeys(names.FROM_BUFFER, _from_buffer),
    **dict.fromkeys(names.SCRIPT, _script),
    "collections.OrderedDict": _ordered,
    "collections.defaultdict": _ordered,
    "collections.Counter": _ordered,
    "_codecs.encode": _encode,
    "numpy.dtype": _dtype,
    "torch.Size": _size,
    "torch.device": _simple,
    "torch.Tensor": _tensor_class,
    "torch.nn.parameter.Parameter": _parameter,
    "torch.serialization._get_layout": _simple,
    "torch._tensor._rebuild_from_type_v2": _typed,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_qtensor": _quantized,
    "torch._utils._rebuild_sparse_tensor": _sparse,
    "torch._utils._rebuild_meta_tensor_no_storage": _meta,
    "torch._utils._rebuild_device_tensor_from_cpu_tensor": _device_tensor,
    "argparse.Namespace": _empty,
    names.JOBLIB_ARRAY: _empty,
}
