from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from netversus.errors import CellError, DataError, UnreadableError
from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.data.dataset import ImageSet
from netversus.lab.engines.prepared import Prepared
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.records import Artifact, Emission, Observations, Preprocessing, Progress, Verdict
from netversus.statistics.comparison import compare
from netversus.statistics.order import recorded_shuffle
from netversus.statistics.pairing import Sample
from netversus.studies.scaling import NOTES, STUDY, ScalingOptions
from netversus.studies.scaling.machine import Load
from netversus.studies.scaling.measure import _devices, _loader, measure
from netversus.studies.scaling.quality import resized
from netversus.study import LEFT_OUT

if TYPE_CHECKING:
    from conftest import Clock, Net

MakeBench = Callable[..., SimpleNamespace]
MakeNet = Callable[..., "Net"]
Seen = dict[tuple[str, str], dict[str, float]]


def gathered(emissions: Iterable[Emission]) -> Seen:
    """What a store keeps: the first value of a unit."""
    seen: Seen = {}
    for emission in emissions:
        if isinstance(emission, Observations):
            row = seen.setdefault((emission.contender, emission.metric), {})
            for unit, value in zip(emission.units, emission.values, strict=True):
                row.setdefault(unit, value)
    return seen


def told(emissions: Iterable[Emission]) -> dict[str, Any]:
    (notes,) = [e for e in emissions if isinstance(e, Artifact) and e.name == NOTES]
    return json.loads(notes.content)


def test_injected_times_come_out_as_verdicts_whatever_the_machine_does(
    bench: MakeBench, net: MakeNet, clock: Clock
) -> None:
    rng = np.random.default_rng(0)
    clock.pace = lambda seconds: (2 + np.sin(seconds / 20)) * rng.lognormal(0, 0.05)
    seen = gathered(measure(bench(A=net(0.01, fixed=0.05), B=net(0.02), options={"blocks": 16})))
    question = next(q for q in STUDY.questions if q.metric == "resolution_growth")
    a, b = ({question.metric: sample(seen[name, question.metric])} for name in "AB")
    found = compare(question, a, b, level=0.99, margin=question.margin, seed=0)
    truth = 4 / ((0.05 + 2 * 0.04) / (0.05 + 2 * 0.01))
    assert found.verdict is Verdict.A_BETTER
    assert found.effect is not None
    assert found.effect.low < truth < found.effect.high


def sample(values: dict[str, float]) -> Sample:
    return Sample(tuple(values), np.array(list(values.values())))


def test_every_image_is_judged_at_every_side_by_what_the_contender_answers(bench: MakeBench, net: MakeNet) -> None:
    made = bench(A=net(0.01, answer=1.0), options={"images": 70})
    seen = gathered(measure(made))
    images = made.data.split("test")
    order = recorded_shuffle(len(images), 0)[:70]
    truth = {images.ids[i]: float(images.labels[i] == 3) for i in order}  # the net answers 3, whatever it is shown
    assert 0 < sum(truth.values()) < 70
    for metric in ("top1_at_0032", "top1_at_0064", "top1_smallest"):
        assert seen["A", metric] == truth


def test_another_side_shows_the_same_part_of_the_picture(bench: MakeBench, net: MakeNet) -> None:
    card = bench(A=net(0.01)).contenders[0]
    photograph = replace(card, preprocessing=Preprocessing(crop=224, resize=256, interpolation="bicubic"))
    assert resized(photograph, 112).preprocessing == Preprocessing(crop=112, resize=128, interpolation="bicubic")
    assert resized(card, 64).preprocessing == replace(card.preprocessing, crop=64)
    assert resized(photograph, 224) == photograph


def test_nan_is_an_error_and_not_a_wrong_answer(bench: MakeBench, net: MakeNet) -> None:
    with pytest.raises(CellError, match="A gave NaN"):
        list(measure(bench(A=net(0.01, answer=float("nan")))))


def test_progress_grows_to_the_whole_and_notes_come_last(bench: MakeBench, net: MakeNet) -> None:
    emissions = list(measure(bench(A=net(0.01), B=net(0.01), options={"images": 100})))
    steps = [(e.done, e.total) for e in emissions if isinstance(e, Progress)]
    assert steps == [(i + 1, 6) for i in range(6)]  # the trial, three blocks, two batches of images
    assert isinstance(emissions[-1], Artifact)
    assert (told(emissions)["busy"], told(emissions)["peaks"], told(emissions)["bandwidth"]) == ([0.125], {}, None)


def test_an_interrupted_block_is_kept_whole_and_finished_blocks_are_not_measured_again(
    bench: MakeBench, net: MakeNet, tmp_path: Path
) -> None:
    stored: list[Emission] = []
    with closing(measure(bench(tmp_path, A=net(0.01), B=net(0.02)))) as running:
        for emission in running:
            stored.append(emission)
            if isinstance(emission, Observations) and "batch-0001/block-001" in emission.units:
                break  # killed after some of the block's observations, before those of B
    assert "batch-0001/block-001" not in gathered(stored)["B", "seconds_batch"]

    slower = bench(tmp_path, A=net(0.1), B=net(0.2))
    seen = gathered([*stored, *measure(slower)])
    for name, fast in (("A", 0.01), ("B", 0.02)):
        values = [v for unit, v in seen[name, "seconds_batch"].items() if unit.startswith("batch-0001")]
        assert values == pytest.approx([fast, fast, 10 * fast])


def test_what_is_kept_and_stored_is_not_measured_again(bench: MakeBench, net: MakeNet, tmp_path: Path) -> None:
    first = list(measure(bench(tmp_path, A=net(0.01))))
    again, idle = bench(tmp_path, A=net(0.9)), net(0.9)
    again.ready = lambda _card: pytest.fail("loaded for nothing")
    again.model = lambda _card: idle
    again.stored = lambda contender, metric: gathered(first).get((contender, metric), {}).keys()
    second = gathered(measure(again))
    assert second == {pair: row for pair, row in gathered(first).items() if not pair[1].startswith("top1")}


def test_what_was_left_out_before_the_kill_stays_left_out(bench: MakeBench, net: MakeNet, tmp_path: Path) -> None:
    with closing(measure(bench(tmp_path, A=net(0.01, room=2 * 32**2)))) as running:
        for emission in running:
            if isinstance(emission, Observations):
                break
    roomy = list(measure(bench(tmp_path, A=net(0.01))))
    assert {unit.partition("/")[0] for unit in gathered(roomy)["A", "seconds_batch"]} == {"batch-0001"}
    assert [note for note in told(roomy)["notes"] if "memory" in note] == [
        "1.5 times the resolution was left out for all: A does not fit in memory.",
        "Batch 4 was left out for all: A does not fit in memory.",
    ]


def begun(running: Iterator[Emission], last: str) -> list[Emission]:
    """What was stored before a kill, right after the first observation that names a unit."""
    stored: list[Emission] = []
    with closing(running):
        for emission in running:
            stored.append(emission)
            if isinstance(emission, Observations) and last in emission.units:
                break
    return stored


def test_blocks_of_before_and_after_a_kill_count_alike_though_a_point_does_not_fit_any_more(
    bench: MakeBench, net: MakeNet, tmp_path: Path
) -> None:
    options = {"resolution": (1, 2, 3)}
    stored = begun(measure(bench(tmp_path, A=net(0.01), options=options)), "resolution-0032/block-001")
    emissions = [*stored, *measure(bench(tmp_path, A=net(0.01, room=2 * 64**2), options=options))]
    seen = gathered(emissions)
    assert "resolution-0096/block-001" in seen["A", "seconds_resolution"]
    assert "resolution-0096/block-002" not in seen["A", "seconds_resolution"]
    assert seen["A", "resolution_growth"] == pytest.approx({f"block-00{i}": 4 for i in range(3)})
    assert list(seen["A", "resolution_exponent"]) == ["block-000", "block-001", "block-002"]
    assert told(emissions)["notes"] == ["3 times the resolution was left out for all: A does not fit in memory."]


def test_memory_that_runs_out_in_a_block_costs_the_point_and_not_the_cell(bench: MakeBench, net: MakeNet) -> None:
    cramped, emissions = net(0.02), []
    for emission in measure(bench(A=net(0.01), B=cramped)):
        emissions.append(emission)
        if isinstance(emission, Progress) and emission.done == 2:  # the trial and the first block
            cramped.room = 2 * 32**2 + 1
    seen = gathered(emissions)
    assert {unit for unit in seen["A", "seconds_batch"] if unit.startswith("batch-0004")} == {"batch-0004/block-000"}
    assert sum(unit.startswith("batch-0001") for unit in seen["A", "seconds_batch"]) == 3
    assert ("A", "batch_exponent") not in seen  # one size that all blocks hold has no exponent
    assert "Batch 4 was left out for all after 1 timing blocks: memory ran out with B." in told(emissions)["notes"]
    assert ("A", "top1_at_0064") not in seen
    assert len(seen["B", "top1_smallest"]) == 20


def test_a_roof_that_was_not_measured_before_a_kill_tries_no_point_again(
    bench: MakeBench, net: MakeNet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netversus.studies.scaling.machine.LOADS", {"cpu": Load(16, 4096)})
    monkeypatch.setattr("netversus.studies.scaling.machine._best", lambda _watch, _work: 1e-3)
    options = {"roofline": True, "batch": (1, 16)}
    stored = begun(measure(bench(tmp_path, A=net(0.01), options=options)), "resolution-0032/block-002")
    emissions = [*stored, *measure(bench(tmp_path, A=net(0.01, room=2 * 64**2), options=options))]
    assert [note for note in told(emissions)["notes"] if "left out" in note] == []


def test_a_roof_that_does_not_fit_in_memory_is_absent_and_said(
    bench: MakeBench, net: MakeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_watch: object) -> object:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("netversus.studies.scaling.measure.measure_machine", full)
    notes = told(list(measure(bench(A=net(0.01), options={"roofline": True}))))
    assert (notes["peaks"], notes["bandwidth"]) == ({}, None)
    assert notes["notes"] == ["The machine's roofline was left out: it does not fit in memory."]


@pytest.mark.usefixtures("crowded")
def test_where_images_do_not_fit_in_memory_at_once_fewer_are_shown(bench: MakeBench, net: MakeNet) -> None:
    made = bench(A=net(0.01, answer=1.0))
    seen = gathered(measure(made))
    assert len(seen["A", "top1_at_0032"]) == len(seen["A", "top1_at_0064"]) == 20
    assert made.rooms["A"].halved == [64, 32]


class Torn(ImageSet):
    """Images of which some turn out to be unreadable."""

    checked = False

    def __init__(self, whole: ImageSet, torn: Iterable[str]) -> None:
        self.ids, self.labels, self.factors = whole.ids, whole.labels, whole.factors
        self._whole, self._torn = whole, set(torn)

    def image(self, index: int) -> Image.Image:
        if self.ids[index] in self._torn:
            raise UnreadableError(f"{self.ids[index]}: torn")
        return self._whole.image(index)


def test_an_unreadable_image_is_left_out_for_all_and_counted(bench: MakeBench, net: MakeNet) -> None:
    made = bench(A=net(0.01), B=net(0.01))
    images = made.data.split("test")
    first, *others = (images.ids[i] for i in recorded_shuffle(len(images), 0)[:20])
    made.data = replace(made.data, splits={"test": Torn(images, [first])})
    emissions = list(measure(made))
    for name in "AB":
        assert set(gathered(emissions)[name, "top1_at_0064"]) == set(others)
    records = {e.contender: json.loads(e.content) for e in emissions if isinstance(e, Artifact) and e.name == LEFT_OUT}
    assert records == {name: {first: f"{first}: torn"} for name in "AB"}


def test_where_no_image_can_be_read_that_is_said(bench: MakeBench, net: MakeNet) -> None:
    made = bench(A=net(0.01))
    images = made.data.split("test")
    made.data = replace(made.data, splits={"test": Torn(images, images.ids)})
    with pytest.raises(DataError, match=r"none of 20 images could be read, first .*: torn"):
        list(measure(made))


def test_reference_depths_are_timed_and_belong_to_no_contender(bench: MakeBench, net: MakeNet) -> None:
    made = bench(A=net(0.01), resnet18=net(0.03), resnet50=net(0.05), options={"depths": (50, 18)})
    emissions = list(measure(made))
    assert {contender for contender, _ in gathered(emissions)} == {"A"}
    assert told(emissions)["depths"] == {"18": pytest.approx([0.03] * 3), "50": pytest.approx([0.05] * 3)}


def test_operations_are_counted_and_the_machine_s_roof_is_measured(
    bench: MakeBench, net: MakeNet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("netversus.studies.scaling.machine.LOADS", {"cpu": Load(16, 4096)})
    watch = bench(A=net(0.01), options={"roofline": True})
    monkeypatch.setattr("netversus.studies.scaling.machine._best", lambda _watch, _work: 1e-3)
    notes = told(list(measure(watch)))
    assert notes["peaks"] == {"fp32": pytest.approx(2 * 16**3 / 1e-3), "bf16": pytest.approx(2 * 16**3 / 1e-3)}
    assert notes["bandwidth"] == pytest.approx(8192 / 1e-3)
    assert notes["counted"]["A"] == {"flops": 0, "moved": 0, "weights": 0}


def test_what_cannot_be_counted_is_said(bench: MakeBench, net: MakeNet) -> None:
    made, failing = bench(A=net(0.01)), net(0.01, room=0)
    made.model = lambda _card: failing
    notes = told(list(measure(made)))
    assert notes["counted"] == {}
    assert notes["notes"] == ["The operations of A could not be counted (OutOfMemoryError)."]


def test_one_accelerator_or_none_has_no_axis_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _devices(torch.device("cpu")) == ()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert _devices(torch.device("cuda", 0)) == ()
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert [d.index for d in _devices(torch.device("cuda", 1))] == [1, 0, 2]


def test_an_engine_made_for_one_size_is_made_for_each_side(tmp_path: Path) -> None:
    """Its answers at another side are those of the network on images of that side."""
    data = open_data("digits")
    card = replace(resolve("py:tiny_nets:narrow@scratch", data.card), engine="folded")
    kept: dict[str, bytes] = {}
    bench = Bench(
        contenders=[card],
        data=data,
        options=ScalingOptions(),
        seed=0,
        device=torch.device("cpu"),
        stored=lambda *_: (),
        scratch=lambda _: tmp_path,
        flush=lambda: None,
        keep=lambda artifact: kept.update({artifact.name: artifact.content}),
        kept=lambda _, name: kept.get(name),
    )
    at = _loader(bench, card)
    pixels = to_uint8(data.split("test").image(0), resized(card, 64).preprocessing)
    images = normalise(pixels[None], card.preprocessing)
    network = at(64)
    assert isinstance(network, Prepared)
    assert at(64) is network
    with torch.inference_mode():
        assert torch.allclose(network(images), bench.model(card)(images), atol=1e-4)
