"""A network's stages, read off its trace: the stem, rows of residual blocks, the head.

A residual block is a module that itself adds two ways of different depth (or another of its class, such as the first
of a MobileNet stage, which may not); of nested ones the outermost counts. A stage is a row of blocks that stand side by
side in the network and leave maps of one size. What lies before the first block is the stem, after the last one the
head, and between two stages the beginning of the second: there they change resolution. A network without such blocks is
cut where its resolution falls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from math import isqrt

from netversus.messages import noted
from netversus.studies.structure import HEAD, STEM
from netversus.studies.structure.trace import Call, Op, Trace


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of a network. `layers` are those with weights on the longest way; `blocks` is None where it has none.
    `channels` and `positions` describe its output (positions: height × width, or tokens), None where they are unknown.
    """

    name: str
    parameters: int
    macs: int
    activations: int
    layers: int
    blocks: int | None
    channels: int | None
    positions: int | None


def stages(trace: Trace) -> tuple[Stage, ...]:
    """The stages in the order in which an image meets them. Multiply-adds, activations and layers add up to the
    network's; so do the parameters, but for those that were not used."""
    blocks = residual_blocks(trace)
    cuts = _by_blocks(trace, blocks) if blocks else _by_resolution(trace)
    return tuple(_stage(trace.ops, *cut) for cut in cuts if cut[1] < cut[2])


def residual_blocks(trace: Trace) -> tuple[Call, ...]:
    """The turns of the residual blocks, in order."""
    joining = {op.path for op in trace.ops if op.joins} - {""}
    kinds = {call.kind for call in trace.calls if call.path in joining}
    turns = sorted(
        (call for call in trace.calls if call.path and call.kind in kinds and call.start < call.stop),
        key=lambda call: (call.start, -call.stop),
    )
    outermost: list[Call] = []
    for call in turns:
        if not outermost or call.start >= outermost[-1].stop:
            outermost.append(call)
    return tuple(outermost)


Cut = tuple[str, int, int, int | None, tuple[int, ...]]
"""Name, first operation, the one after the last, residual blocks, shape of the output."""


def _by_blocks(trace: Trace, blocks: Sequence[Call]) -> Iterator[Cut]:
    """Stem, a stage for each row of blocks, head."""
    begin = blocks[0].start
    yield STEM, 0, begin, None, _last_shape(trace.ops[:begin])
    rows = (tuple(row) for _, row in groupby(blocks, key=lambda b: (_parent(b.path), extent(b.shape)[1])))
    for number, row in enumerate(rows):
        name = f"{noted('stage {n}', n=number + 1)}: {_parent(row[0].path) or row[0].path}"
        yield name, begin, row[-1].stop, len(row), row[-1].shape
        begin = row[-1].stop
    yield HEAD, begin, len(trace.ops), None, _last_shape(trace.ops[begin:])


def _by_resolution(trace: Trace) -> Iterator[Cut]:
    """A stage for each size of map that a layer works on, and the head once there are no maps.

    The size at an operation is the largest from there on: a branch that looks at the whole map for a moment, as
    squeeze-and-excite does, is no change of resolution.
    """
    sizes = [extent(op.shape)[1] or 1 if len(op.shape) == 4 else 1 for op in trace.ops]
    ahead = list(accumulate(reversed(sizes), max))[::-1]
    number, begin = 0, 0
    for size, group in groupby(range(len(ahead)), key=ahead.__getitem__):
        stop = max(group) + 1
        ops = trace.ops[begin:stop]
        if size > 1 and any(op.activations for op in ops):
            number += 1
            maps = [op for op in ops if len(op.shape) == 4]
            yield f"{noted('stage {n}', n=number)}: {isqrt(size)} px", begin, stop, None, _last_shape(maps)
            begin = stop
    yield HEAD, begin, len(trace.ops), None, _last_shape(trace.ops[begin:])


def _stage(ops: Sequence[Op], name: str, start: int, stop: int, blocks: int | None, shape: tuple[int, ...]) -> Stage:
    own = ops[start:stop]
    before, after = (max((op.depth for op in ops[:end]), default=0) for end in (start, stop))
    channels, positions = extent(shape)
    return Stage(
        name=name,
        parameters=sum(op.parameters for op in own),
        macs=sum(op.macs for op in own),
        activations=sum(op.activations for op in own),
        layers=after - before,
        blocks=blocks,
        channels=channels,
        positions=positions,
    )


def extent(shape: Sequence[int]) -> tuple[int | None, int | None]:
    """Channels and positions of one image's output: (1, c, h, w), (1, h, w, c), (1, tokens, c) or (1, c).

    Images are square here, so that the two equal sides tell where the channels are.
    """
    if len(shape) == 4 and shape[2] == shape[3]:
        return shape[1], shape[2] * shape[3]
    if len(shape) == 4 and shape[1] == shape[2]:
        return shape[3], shape[1] * shape[2]
    if len(shape) == 3:
        return shape[2], shape[1]
    return (shape[1], 1) if len(shape) == 2 else (None, None)


def _last_shape(ops: Sequence[Op]) -> tuple[int, ...]:
    return next((op.shape for op in reversed(ops) if op.shape), ())


def _parent(path: str) -> str:
    return path.rpartition(".")[0]
