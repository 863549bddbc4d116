"""The state dict in a scanned file: tensors by name, as claims."""

from __future__ import annotations

from collections.abc import Mapping

from netversus.lab.artifacts.claims import TensorClaim
from netversus.lab.artifacts.findings import Finding, Verdict, printable
from netversus.lab.artifacts.scan import Scan
from netversus.lab.artifacts.values import Pairs, get
from netversus.messages import noted

WRAPPERS = ("state_dict", "model_state_dict", "model", "model_ema", "state_dict_ema")
"""Under these names a checkpoint keeps its state dict."""


def state_of(found: Scan) -> dict[str, TensorClaim]:
    """The tensors by name; a dictionary under one of `WRAPPERS` is taken for the whole. Empty where there are none."""
    if found.format == "safetensors":
        return dict(found.tensors)
    content = found.value
    for wrapper in WRAPPERS:
        inner = get(content, wrapper)
        if isinstance(inner, Pairs):
            content = inner
            break
    if not isinstance(content, Pairs):
        return {}
    return {str(name): claim for name, claim in content.items if isinstance(claim, TensorClaim)}


def left_out(found: Scan) -> int:
    """How many tensors of a file are not of its state dict."""
    return len(found.tensors) - len({id(claim) for claim in state_of(found).values()} & _ids(found))


def _ids(found: Scan) -> set[int]:
    return {id(claim) for claim in found.tensors.values()}


def against(found: Scan, expected: Mapping[str, tuple[int, ...]], architecture: str) -> tuple[Finding, ...]:
    """Where a file's tensors are not those of an architecture. A head of another number of classes is honest: a
    tensor may differ in its first side where the architecture's is `classes` long (1,000, ImageNet's)."""
    state = state_of(found)
    if state and all(name.startswith("module.") for name in state):
        state = {name.removeprefix("module."): claim for name, claim in state.items()}
    if not state:
        return (
            Finding(
                Verdict.SUSPICIOUS,
                noted("it holds no state dict, so it cannot be {architecture}", architecture=architecture),
            ),
        )
    lines = []
    lacking = [name for name in expected if name not in state and not name.endswith("num_batches_tracked")]
    for name, claim in state.items():
        if name not in expected:
            lines.append(
                noted("tensor {name} is not of {architecture}", name=repr(printable(name)), architecture=architecture)
            )
        elif claim.shape != expected[name] and not _other_head(claim.shape, expected[name]):
            lines.append(
                noted(
                    "tensor {name} has shape {shape}, {architecture} has {expected}",
                    name=repr(printable(name)),
                    shape=claim.shape,
                    architecture=architecture,
                    expected=expected[name],
                )
            )
    if lacking:
        lines.append(
            noted(
                "{n} tensors of {architecture} are missing, the first is {first}",
                n=len(lacking),
                architecture=architecture,
                first=repr(lacking[0]),
            )
        )
    return tuple(Finding(Verdict.SUSPICIOUS, line) for line in lines[:20])


def _other_head(have: tuple[int, ...], expected: tuple[int, ...], classes: int = 1000) -> bool:
    return bool(expected) and expected[0] == classes and len(have) == len(expected) and have[1:] == expected[1:]
