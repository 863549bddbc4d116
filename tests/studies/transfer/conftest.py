"""A bench of tiny networks on a few digits, without a run folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.studies.transfer import TransferOptions


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., Bench]:
    def make(*specs: str, stored: dict[tuple[str, str], set[str]] | None = None, **options: object) -> Bench:
        data = open_data("digits")
        values = {"images": 60, "train_images": 150, "tuning_samples": 64, "draws": 2} | options

        def scratch(name: str) -> Path:
            folder = tmp_path / "scratch" / name.replace(":", "_").replace("@", "_")
            folder.mkdir(parents=True, exist_ok=True)
            return folder

        return Bench(
            contenders=[resolve(spec, data.card) for spec in specs or ("py:tiny_nets:wide@scratch",)],
            data=data,
            options=TransferOptions(**values),  # type: ignore[arg-type]
            seed=0,
            device=torch.device("cpu"),
            stored=lambda contender, metric: (stored or {}).get((contender, metric), ()),
            scratch=scratch,
            flush=lambda: None,
        )

    return make
