"""The generation study on tiny networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from lone_bench import Seen
from netversus.exhibits import Text
from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.shortage import MEMORY_FILE
from netversus.records import Artifact, Observations
from netversus.studies.generation import STUDY, GenerationOptions
from netversus.studies.generation.exhibit import exhibit
from netversus.studies.generation.files import ASCENT, PROGRESS, painted_file
from netversus.studies.generation.measure import Studio, measure
from netversus.study import Work

NARROW, WIDE = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., Bench]:
    def make(*specs: str, kept: dict[tuple[str, str], bytes] | None = None, **options: object) -> Bench:
        data = open_data("digits")
        drawer = {} if kept is None else kept

        def keep(artifact: Artifact) -> None:
            drawer[artifact.contender, artifact.name] = artifact.content

        values = {"steps": 3, "classes": 2, "pictures": 2, "restored": 2, "restore_steps": 2, "batch": 3} | options
        return Bench(
            contenders=[resolve(spec, data.card) for spec in specs or (NARROW, WIDE)],
            data=data,
            options=GenerationOptions(**values),  # type: ignore[arg-type]
            seed=0,
            device=torch.device("cpu"),
            stored=lambda *_: (),
            scratch=lambda _: tmp_path,
            flush=lambda: None,
            keep=keep,
            kept=lambda contender, name: drawer.get((contender, name)),
        )

    return make


def observed(bench: Bench) -> dict[tuple[str, str], dict[str, float]]:
    seen: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for emission in measure(bench):
        if isinstance(emission, Observations):
            seen[emission.contender, emission.metric] |= dict(zip(emission.units, emission.values, strict=True))
    return seen


def test_contenders_are_judged_by_the_others_on_the_same_subjects(make_bench):
    bench = make_bench()
    seen = observed(bench)
    narrow, wide = (seen[card.name, "recognised"] for card in bench.contenders)
    assert list(narrow) == list(wide) == ["0/000", "1/000", "0/001", "1/001"]
    studio = Studio(bench)
    pictures = studio.pictures(bench.contenders[0])
    labels = torch.tensor([one.label for one in studio.subjects])
    judged = (studio._answers(bench.contenders[1], pictures) == labels).double().tolist()
    assert list(narrow.values()) == judged


def test_a_single_contender_has_nobody_to_recognise_its_pictures(make_bench):
    seen = observed(make_bench(WIDE))
    assert {metric for _, metric in seen} >= {"recognised_by_itself", "restored", "diversity"}
    assert "recognised" not in {metric for _, metric in seen}


def test_what_is_kept_is_not_painted_again_and_the_end_is_the_same(make_bench, monkeypatch):
    kept: dict[tuple[str, str], bytes] = {}
    first = observed(make_bench(kept=kept))
    monkeypatch.setattr("netversus.studies.generation.measure.paint", lambda *_: pytest.fail("painted again"))
    assert observed(make_bench(kept=kept)) == first


def test_no_picture_is_painted_alone(make_bench):
    groups = Studio(make_bench(batch=3)).groups
    assert [len(group) for group in groups] == [4]
    assert [len(group) for group in Studio(make_bench(batch=2)).groups] == [2, 2]


def test_the_restored_error_of_an_image_is_the_mean_over_the_stages(make_bench):
    seen = observed(make_bench(WIDE))
    name = next(contender for contender, _ in seen)
    stages = seen[name, "stage_restored"]
    for image, value in seen[name, "restored"].items():
        assert value == pytest.approx(np.mean([v for unit, v in stages.items() if unit.endswith(f": {image}")]))


def test_only_contenders_named_as_robust_paint_by_plain_ascent(make_bench):
    kept: dict[tuple[str, str], bytes] = {}
    bench = make_bench(kept=kept, robust=WIDE)
    for emission in measure(bench):
        if isinstance(emission, Artifact):
            bench.keep(emission)
    assert {contender for contender, name in kept if name == ASCENT} == {bench.contenders[1].name}
    assert {contender for contender, name in kept if name == PROGRESS} == {card.name for card in bench.contenders}
    assert (bench.contenders[0].name, painted_file(0)) in kept


def test_a_budget_cuts_steps_before_pictures():
    from netversus.records import Rates

    work = Work(open_data("digits").card, {"a": Rates(0.01, 0.03, 10**6, True)})
    whole = STUDY.cost(GenerationOptions(), work).seconds
    fit = STUDY.fit(GenerationOptions(), work, whole / 4)
    assert fit.options.steps < GenerationOptions().steps
    assert fit.options.pictures == GenerationOptions().pictures


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept_and_told(make_bench):
    kept: dict[tuple[str, str], bytes] = {}
    bench = make_bench(kept=kept)
    told = [each.text for each in exhibit(Seen(bench, measure(bench), kept)) if isinstance(each, Text)]
    for card in bench.contenders:
        assert kept[card.name, MEMORY_FILE] == b"[64, 32]"
        words = f"64 images at once did not fit in memory: {card.name} was shown 16 at once."
        assert any(each.startswith(words) for each in told)
