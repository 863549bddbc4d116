"""Convolutions that do what follows them: oneDNN's post-ops, with weights packed once, and nothing compiled.

torch.compile gets most of its speed on a CPU from these same operations (torch._inductor's fusions for oneDNN).
Called by hand they need no compiler: one pass over the graph replaces `conv -> relu` and `conv -> add -> relu` by one
call, which also spares the memory between. The sum is written over its other operand where nothing reads that again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.passes.shape_prop import ShapeProp

from netversus.errors import EngineError
from netversus.lab.engines.folding import add_constant, constant, tidied

_aten = torch.ops.aten
_CONVOLUTION = _aten.conv2d.default
_DEFAULTS: tuple[Any, ...] = (None, None, None, [1, 1], [0, 0], [1, 1], 1)  # of its arguments, in order
_IN_PLACE = frozenset({_aten.relu_.default, _aten.add_.Tensor})
_ADD = frozenset({_aten.add.Tensor, _aten.add_.Tensor})
# Whose output is new memory that no other name shares.
_FRESH = frozenset({_aten.relu.default, _aten.add.Tensor, _aten.max_pool2d.default, _aten.batch_norm.default})
# The names are oneDNN's, as torch spells them.
_ACTIVATIONS: dict[object, str] = {
    _aten.relu.default: "relu",
    _aten.relu_.default: "relu",
    _aten.silu.default: "swish",
    _aten.silu_.default: "swish",
    _aten.hardswish.default: "hardswish",
    _aten.hardswish_.default: "hardswish",
}


@dataclass
class _Fused:
    """A convolution's node and what it does besides.

    While the graph is being changed, the node holds all its arguments, and what is added to its output as the keyword
    "other", so that the graph keeps them up to date; it is not run like that.
    """

    node: fx.Node
    weight: Tensor
    in_place: bool = False
    activation: str = ""

    @property
    def other(self) -> fx.Node | None:
        """What is added to the convolution's output."""
        return self.node.kwargs.get("other")  # type: ignore[return-value]


@torch.inference_mode()
def pack(graph: fx.GraphModule, example: Tensor) -> fx.GraphModule:
    """Replace the convolutions of a graph, in the graph's own dtype, float32 or bfloat16.

    Args:
        graph: of torch operations on a CPU, in eval mode; it is changed.
        example: images as the graph takes them. Weights are packed for images like these; other batch sizes work too.
    """
    ShapeProp(graph).propagate(example)
    nodes = list(graph.graph.nodes)
    place = {node: number for number, node in enumerate(nodes)}
    read = (_read(graph, node) for node in nodes if node.target is _CONVOLUTION)
    fused = {each.node: each for each in read if each is not None}
    for node in nodes:
        if node.target in _ADD:
            _take_sum(graph, node, fused, place)
    for node in nodes:
        if node.target in _ACTIVATIONS:
            _take_activation(graph, node, fused)
    for number, each in enumerate(fused.values()):
        _write(graph, each, f"packed_{number}")
    return tidied(graph)


def check(dtype: torch.dtype) -> None:
    """Whether oneDNN can be used for a dtype here.

    Raises:
        EngineError: it cannot.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        raise EngineError("this build of torch has no oneDNN")
    if dtype is torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():  # noqa: SLF001 (that is its name)
        raise EngineError("oneDNN has no bf16 on this CPU")


def _form(node: fx.Node) -> tuple[tuple[int, ...], torch.dtype]:
    """Shape and dtype of a node's output."""
    meta = node.meta["tensor_meta"]
    return tuple(meta.shape), meta.dtype


def _read(graph: fx.GraphModule, node: fx.Node) -> _Fused | None:
    try:
        weight = constant(graph, node.args[1])
    except TypeError:  # computed for each batch: there is nothing to pack
        return None
    if weight is None or node.kwargs:
        return None
    node.args = (*node.args, *_DEFAULTS[len(node.args) :])
    return _Fused(node, weight)


def _take_sum(graph: fx.GraphModule, add: fx.Node, fused: dict[fx.Node, _Fused], place: dict[fx.Node, int]) -> None:
    """Let the later operand of a sum, where it is a convolution, add the earlier one to its output."""
    if len(add.args) != 2 or add.kwargs or not all(isinstance(each, fx.Node) for each in add.args):
        return
    operands: list[fx.Node] = sorted(add.args, key=place.__getitem__)  # type: ignore[arg-type]
    other, last = operands
    each = fused.get(last)
    if each is None or each.other is not None or len(last.users) != 1 or other is last or _form(other) != _form(last):
        return
    if _may_change(other, but=add) or (add.target in _IN_PLACE and add.args[0] is other and len(other.users) > 1):
        return
    readers = [user for user in other.users if user is not add]
    read_by_now = all(user in fused and place[user] < place[last] for user in readers)
    each.in_place = read_by_now and _owns_its_memory(other, fused)
    last.kwargs = {"other": other}
    add.replace_all_uses_with(last)
    graph.graph.erase_node(add)


def _may_change(node: fx.Node, *, but: fx.Node) -> bool:
    """Whether some other operation writes over a node's output, or gives it another name under which that happens.

    Both are said in the operation's schema: the outputs of an in-place operation are marked as its input's alias too.
    """
    schemas = (getattr(user.target, "_schema", None) for user in node.users if user is not but)
    return any(result.alias_info is not None for schema in schemas if schema is not None for result in schema.returns)


def _owns_its_memory(node: fx.Node, fused: dict[fx.Node, _Fused]) -> bool:
    """Whether nothing but this node's output lies where it lies: it is no view, nor the images themselves."""
    if node in fused or node.target in _FRESH:
        return True
    if node.target in _IN_PLACE:
        (before, *_) = node.args
        return isinstance(before, fx.Node) and len(before.users) == 1 and _owns_its_memory(before, fused)
    return False


def _take_activation(graph: fx.GraphModule, node: fx.Node, fused: dict[fx.Node, _Fused]) -> None:
    (before, *_) = node.args
    each = fused.get(before)  # type: ignore[arg-type]
    if each is None or each.activation or len(each.node.users) != 1:
        return
    activation = _ACTIVATIONS[node.target]
    if each.other is not None and activation != "relu":  # after a sum, torch offers no other
        return
    each.activation = activation
    node.replace_all_uses_with(each.node)
    graph.graph.erase_node(node)


def _write(graph: fx.GraphModule, each: _Fused, name: str) -> None:
    """Put the one call in the place of the convolution."""
    images, _, bias, *shape, groups = each.node.args
    stride, padding, dilation = ([*numbers] * (2 // len(numbers)) for numbers in shape)  # type: ignore[arg-type, misc]
    how = (padding, stride, dilation, groups)  # in the order of oneDNN's calls
    reorder = torch.ops.mkldnn._reorder_convolution_weight  # noqa: SLF001 (that is its name)
    packed = reorder(each.weight, *how, list(_form(images)[0]))  # type: ignore[arg-type]
    weight = add_constant(graph, each.node, name, packed)
    call, arguments = _call(each, images, (weight, bias, *how))
    with graph.graph.inserting_before(each.node):
        new = graph.graph.call_function(call, arguments)
    new.meta = each.node.meta
    each.node.replace_all_uses_with(new)
    graph.graph.erase_node(each.node)


def _call(each: _Fused, images: Any, convolution: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The operation and its arguments."""
    plain, in_place = torch.ops.mkldnn._convolution_pointwise, torch.ops.mkldnn._convolution_pointwise_  # noqa: SLF001
    if each.other is None:
        return plain.default, (images, *convolution, each.activation or "none", [], "")
    how = (*convolution, "add", 1.0, each.activation or None, [], None)
    return (
        (in_place.binary, (each.other, images, *how)) if each.in_place else (plain.binary, (images, each.other, *how))
    )
