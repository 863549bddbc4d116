"""Findings, data and claims that the tests of the audit start from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netversus.claims import Claim, Measured, read_claims
from netversus.records import DataCard, Direction, Effect, Finding, Role, Scale, Verdict
from netversus.wording import sentence

A, B = "resnet50@scratch", "resnet101@scratch"


def data_card(name: str = "digits") -> DataCard:
    return DataCard(name, name, f"digest of {name}", ("0", "1"), {"test": 1000}, 32)


def accuracy(low: float, high: float, **changes: object) -> Finding:
    """A finding on top-1: B minus A lies between `low` and `high`."""
    verdict = Verdict.B_BETTER if low > 0 else Verdict.A_BETTER if high < 0 else Verdict.UNDECIDED
    finding = Finding(
        study="accuracy",
        metric="top1",
        a=A,
        b=B,
        verdict=verdict,
        role=Role.PRIMARY,
        scale=Scale.PROPORTION,
        direction=Direction.HIGHER,
        unit="%",
        paired_on="image",
        n=1000,
        value_a=0.8,
        value_b=0.8 + (low + high) / 2,
        effect=Effect((low + high) / 2, low, high, 0.95),
        margin=0.01,
        margin_declared=0.01,
        method="Tango",
        sentence="",
        expert="",
    )
    changed = replace(finding, **changes)  # type: ignore[arg-type]
    return replace(changed, sentence=sentence(changed))


def latency(low: float, high: float, **changes: object) -> Finding:
    """A finding on latency: B / A lies between `low` and `high`."""
    verdict = Verdict.A_BETTER if low > 1 else Verdict.B_BETTER if high < 1 else Verdict.UNDECIDED
    timed: dict[str, object] = {
        "study": "speed",
        "metric": "latency",
        "verdict": verdict,
        "role": Role.SECONDARY,
        "scale": Scale.RATIO,
        "direction": Direction.LOWER,
        "unit": "s",
        "paired_on": "timing block",
        "n": 24,
        "value_a": 0.010,
        "value_b": 0.020,
        "effect": Effect((low * high) ** 0.5, low, high, 0.99),
    }
    return accuracy(low, high, **(timed | changes))


def depth(a: float = 50, b: float = 101, **changes: object) -> Finding:
    """A fact: how many layers both have."""
    fact: dict[str, object] = {
        "study": "structure",
        "metric": "depth",
        "verdict": Verdict.DESCRIBED,
        "role": Role.SECONDARY,
        "scale": Scale.FACT,
        "direction": Direction.NEITHER,
        "unit": "layers",
        "paired_on": "contender",
        "n": 1,
        "value_a": float(a),
        "value_b": float(b),
        "effect": None,
        "margin": 0.0,
    }
    return accuracy(0, 0, **(fact | changes))


def measured(*findings: Finding, name: str = "digits", called: tuple[str, ...] = ()) -> Measured:
    return Measured(findings, data_card(name), called)


@pytest.fixture
def claims(tmp_path: Path) -> Callable[..., tuple[Claim, ...]]:
    """Claims of a file whose claims have this body each."""

    def read(*bodies: str) -> tuple[Claim, ...]:
        entries = [f'[[claim]]\nid = "c{i}"\ntext = "A claim."\n{body}\n' for i, body in enumerate(bodies)]
        path = tmp_path / "claims.toml"
        path.write_text('[source]\ntitle = "a test"\n' + "\n".join(entries), encoding="utf-8")
        return read_claims(path)

    return read
