"""A bench of tiny networks on a few digits, without a run folder."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.studies.corruption import CorruptionOptions


@pytest.fixture(scope="module")
def make_bench() -> Callable[..., Bench]:
    def make(*specs: str, stored: dict[tuple[str, str], set[str]] | None = None, **options: object) -> Bench:
        data = open_data("digits")
        values = {"images": 12, "batch": 8, "outliers": 12, "train_images": 60, "more": "none"} | options
        return Bench(
            contenders=[resolve(spec, data.card) for spec in specs or ("py:tiny_nets:wide@scratch",)],
            data=data,
            options=CorruptionOptions(**values),  # type: ignore[arg-type]
            seed=0,
            device=torch.device("cpu"),
            stored=lambda contender, metric: (stored or {}).get((contender, metric), ()),
            scratch=lambda _: None,  # type: ignore[arg-type,return-value]
            flush=lambda: None,
        )

    return make
