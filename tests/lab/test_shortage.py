"""Memory that did not suffice: the bench keeps it with the cell, and a report says it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from netversus.lab.bench import Bench
from netversus.lab.evaluation import predict
from netversus.lab.shortage import MEMORY_FILE, shortage_shown
from netversus.records import Artifact


@pytest.fixture
def make_bench(make_card):
    """A bench of the contenders A and B, and all that it has kept, by contender and name."""

    def make(**kept: bytes) -> tuple[Bench, dict[tuple[str, str], bytes]]:
        found = {(name, MEMORY_FILE): content for name, content in kept.items()}

        def keep(artifact: Artifact) -> None:
            found[artifact.contender, artifact.name] = artifact.content

        bench = Bench(
            contenders=[make_card("A"), make_card("B")],
            data=SimpleNamespace(),
            options=None,
            seed=0,
            device=torch.device("cpu"),
            stored=lambda *_: (),
            scratch=lambda _: None,
            flush=lambda: None,
            keep=keep,
            kept=lambda contender, name: found.get((contender, name)),
        )
        return bench, found

    return make


def narrow(most: int, shown: list[int]):
    """A contender for which `most` images fit in memory."""

    def contender(images: torch.Tensor) -> torch.Tensor:
        shown.append(len(images))
        if len(images) > most:
            raise MemoryError
        return images.flatten(1)[:, :5]

    return contender


INPUTS = torch.zeros(3, 3, 32, 32)


def test_a_contender_has_one_room_all_through_a_cell_and_what_did_not_fit_is_kept(make_bench):
    bench, found = make_bench()
    first, second = bench.contenders
    shown: list[int] = []
    predict(narrow(20, shown), INPUTS, bench.room(first))
    predict(narrow(20, shown), INPUTS, bench.room(first))
    assert shown == [64, 32, 16, 16]
    predict(narrow(64, []), INPUTS, bench.room(second))
    assert found == {("A", MEMORY_FILE): b"[64, 32]"}


def test_an_interrupted_cell_goes_on_with_as_many_at_once_as_it_ended_with(make_bench):
    bench, found = make_bench(A=b"[64, 32]")
    shown: list[int] = []
    predict(narrow(64, shown), INPUTS, bench.room(bench.contenders[0]))
    assert shown == [16]
    predict(narrow(9, shown), INPUTS, bench.room(bench.contenders[0]))
    assert found == {("A", MEMORY_FILE): b"[64, 32, 16]"}


@pytest.fixture
def evidence_of(make_card):
    """Evidence of the contenders A and B that holds records by contender and seed."""

    def make(**records: dict[int, bytes]) -> SimpleNamespace:
        return SimpleNamespace(
            contenders=[make_card("A"), make_card("B")],
            seeds=(0, 1),
            artifact=lambda name, contender, seed: (
                records.get(contender, {}).get(seed) if name == MEMORY_FILE else None
            ),
        )

    return make


def test_a_shortage_is_told_of_its_contender(evidence_of):
    (words,) = shortage_shown(evidence_of(B={0: b"[64, 32]"}))
    assert words.text.startswith("64 images at once did not fit in memory: B was shown 16 at once.")
    assert list(shortage_shown(evidence_of())) == []


def test_a_shortage_on_a_later_seed_is_told_as_well_and_the_fewest_of_all_seeds(evidence_of):
    (words,) = shortage_shown(evidence_of(A={1: b"[8]"}))
    assert words.text.startswith("8 images at once did not fit in memory: A was shown 4 at once.")
    (words,) = shortage_shown(evidence_of(A={0: b"[64, 32, 16]", 1: b"[64]"}))
    assert "A was shown 8 at once" in words.text
