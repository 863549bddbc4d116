"""Batch norms folded into the convolutions before them: one operation less, the same function."""

from __future__ import annotations

from operator import attrgetter

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from netversus.lab.engines.quiet import quiet

_aten = torch.ops.aten
_BATCH_NORM = _aten.batch_norm.default
_CONVOLUTION = _aten.conv2d.default
_DROPOUT = _aten.dropout.default


@torch.no_grad()
def fold(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """The network, in eval mode, as a graph of torch operations whose batch norms are folded where a convolution's
    output goes nowhere else. It takes any batch size n >= 1.

    `example` holds two images or more, shape (n, 3, h, w): a batch of one would stay one. What is not folded shares the
    network's own weights: copy the graph before they are changed.

    With w, b the convolution's weights and m, v, g, c the batch norm's mean, variance, scale and shift:
    w' = w g / sqrt(v + eps) and b' = (b - m) g / sqrt(v + eps) + c (Jacob et al. 2018, section 3.2; the arithmetic
    is torch.nn.utils.fusion's).

    Raises:
        Exception: whatever torch.export raises on code that it cannot follow.
    """
    graph = traced(model, example)
    for dropout in [node for node in graph.graph.nodes if node.target is _DROPOUT and not node.args[2]]:
        dropout.replace_all_uses_with(dropout.args[0])  # in eval mode it gives what it gets
        graph.graph.erase_node(dropout)
    for number, norm in enumerate([node for node in graph.graph.nodes if node.target is _BATCH_NORM]):
        convolution = norm.args[0]
        if convolution.target is _CONVOLUTION and len(convolution.users) == 1 and not norm.args[5]:  # not training
            _fold_one(graph, convolution, norm, f"folded_{number}")
    return tidied(graph)


def traced(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """The network's operations as torch.export sees them, forward hooks included, for any batch size.

    torch.export follows what torch.fx alone cannot: transformers' ResNets, for one.
    """
    with quiet():
        exported = torch.export.export(model, (example[:2],), dynamic_shapes=({0: torch.export.Dim.AUTO},))
    graph = exported.module(check_guards=False)
    return tidied(graph)


def tidied(graph: fx.GraphModule) -> fx.GraphModule:
    """The graph without what nothing uses: operations, weights, and what torch.export hangs on a module."""
    graph.graph.eliminate_dead_code()
    graph.graph.lint()
    return fx.GraphModule(graph, graph.graph)


def constant(graph: fx.GraphModule, node: object) -> Tensor | None:
    """The weight or buffer that a node stands for; None for None.

    Raises:
        TypeError: it is computed.
    """
    if node is None:
        return None
    if not isinstance(node, fx.Node) or node.op != "get_attr":
        raise TypeError(f"{node} is not a constant")
    tensor: Tensor = attrgetter(str(node.target))(graph)
    return tensor.detach()


def add_constant(graph: fx.GraphModule, before: fx.Node, name: str, tensor: Tensor) -> fx.Node:
    """A node for a new buffer of the graph."""
    graph.register_buffer(name, tensor)
    with graph.graph.inserting_before(before):
        return graph.graph.get_attr(name)


def _fold_one(graph: fx.GraphModule, convolution: fx.Node, norm: fx.Node, name: str) -> None:
    inputs, weight, *rest = convolution.args
    bias = rest.pop(0) if rest else None
    try:
        w, b = constant(graph, weight), constant(graph, bias)
        scale, shift, mean, variance = (constant(graph, argument) for argument in norm.args[1:5])
    except TypeError:  # weights that are computed for each batch: weight standardisation, say
        return
    if w is None or mean is None or variance is None:
        return
    epsilon: float = norm.args[7]  # type: ignore[assignment]
    folded_w, folded_b = fuse_conv_bn_weights(w, b, mean, variance, epsilon, scale, shift)
    convolution.args = (
        inputs,
        add_constant(graph, convolution, f"{name}_weight", folded_w.detach()),
        add_constant(graph, convolution, f"{name}_bias", folded_b.detach()),
        *rest,
    )
    norm.replace_all_uses_with(convolution)
    graph.graph.erase_node(norm)
