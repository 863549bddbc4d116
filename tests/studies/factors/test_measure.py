"""The whole study of one tiny network on a few digits."""

from __future__ import annotations

from pathlib import Path

import pytest

from lone_bench import Kept, Seen, lone_bench
from netversus.exhibits import Text
from netversus.lab.shortage import MEMORY_FILE
from netversus.studies.factors import FactorsOptions
from netversus.studies.factors.exhibit import exhibit
from netversus.studies.factors.measure import measure

NARROW = "py:tiny_nets:narrow@scratch"


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_judged_at_once_and_it_is_kept_and_told(tmp_path: Path) -> None:
    kept: Kept = {}
    options = FactorsOptions(trials=8, samples=32, held_out=20)
    bench = lone_bench(options, tmp_path, contenders=[NARROW], data="digits?size=8", kept=kept)
    seen = Seen(bench, measure(bench), kept)
    assert len(seen.series(NARROW, "trial_top1").units) == 8
    assert kept == {(NARROW, MEMORY_FILE): b"[64, 32]"}
    told = [each.text for each in exhibit(seen) if isinstance(each, Text)]
    assert any(each.startswith(f"64 images at once did not fit in memory: {NARROW} was shown 16") for each in told)
