"""Every study that shows batches to a network says where memory did not suffice for them."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from netversus.exhibits import Text
from netversus.lab.shortage import MEMORY_FILE
from netversus.statistics.pairing import Sample
from netversus.studies import find_studies, get_study

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("study", ["accuracy", "corruption", "recognition", "transfer"])
def test_a_shortage_of_memory_is_told_in_the_exhibit(study: str, make_card, data_card):
    right = Sample(("1", "2"), np.array([1.0, 0.0]))
    evidence = SimpleNamespace(
        contenders=[make_card("A")],
        seeds=[0],
        data=data_card,
        stops_early=False,
        series=lambda _name, metric, _seed=None: right if metric in ("top1", "verified") else None,
        artifact=lambda name, *_: b"[64, 32]" if name == MEMORY_FILE else None,
    )
    exhibit = get_study(study).load_exhibit()
    assert exhibit is not None
    told = [each.text for each in exhibit(evidence) if isinstance(each, Text)]
    assert [words for words in told if words.startswith("64 images at once did not fit in memory: A was shown 16")]


def test_the_documents_name_every_study_that_shows_fewer_images_where_memory_runs_out():
    paragraph = (ROOT / "docs" / "fast.md").read_text().partition("## Memory")[2].partition("Speed halves")[0]
    shows = {name for name in find_studies() if "shortage_shown(" in _source(name)}
    assert {name for name in find_studies() if re.search(rf"\b{name}\b", paragraph)} == shows
    assert {"accuracy", "tracking"} <= shows


def _source(study: str) -> str:
    return (ROOT / "src" / "netversus" / "studies" / study / "exhibit.py").read_text()
