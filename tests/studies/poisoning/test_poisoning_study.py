"""A backdoor is planted, takes hold, and costs nothing that a test on clean images would show; noise costs accuracy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lone_bench import Kept, Seen, lone_bench
from netversus.errors import OptionError
from netversus.exhibits import Chart, Gallery, Table, Text
from netversus.lab.shortage import MEMORY_FILE
from netversus.studies.poisoning import STUDY, PoisoningOptions
from netversus.studies.poisoning import measure as module
from netversus.studies.poisoning.design import Condition, conditions, read_result
from netversus.studies.poisoning.exhibit import exhibit
from netversus.studies.poisoning.measure import measure

WIDE = "py:tiny_nets:wide@scratch"
OPTIONS = PoisoningOptions(
    samples=9600,
    attacks="badnets",
    rates="0.08",
    target="3",
    noise="symmetric",
    noise_rates="0.6",
    defences="spectral,clusters,strip,cleanse",
    strip_images=30,
    cleanse_steps=10,
    images=300,
    learning_rate=2e-2,
    augment="none",
)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def kept() -> Kept:
    return {}


@pytest.fixture(scope="module")
def bench(tmp_path_factory, kept):
    folder = tmp_path_factory.mktemp("poisoning")
    return lone_bench(OPTIONS, folder, contenders=[WIDE], data="digits?size=16", kept=kept)


@pytest.fixture(scope="module")
def seen(bench) -> Seen:
    return Seen(bench, measure(bench))


def test_the_trigger_leads_to_the_attackers_class_and_does_nothing_without_poison(kept, seen):
    assert seen.series(WIDE, "attack_success").values.mean() > 0.8
    clean = read_result(kept[WIDE, "clean.json"])
    assert np.mean(clean.success["badnets"]) < 0.1
    poisoned = read_result(kept[WIDE, "badnets-0.08.json"])
    assert poisoned.changed == 80
    assert np.mean(poisoned.anyway) < 0.1  # it is the trigger that does it


def test_success_is_counted_on_images_of_other_classes_only(bench, seen):
    test = bench.data.split("test")
    labels = dict(zip(test.ids, test.labels.tolist(), strict=True))
    sample = seen.series(WIDE, "attack_success")
    assert 3 not in {labels[unit] for unit in sample.units}
    others = sum(labels[unit] != 3 for unit in seen.series(WIDE, "clean_top1").units)
    assert len(sample.units) == others


def test_an_image_counts_once_with_the_mean_of_its_trainings(seen):
    each = seen.series(WIDE, "success_by_training")
    attacked = [(u, v) for u, v in zip(each.units, each.values, strict=True) if u.startswith("badnets-0.08, badnets: ")]
    mean = seen.series(WIDE, "attack_success")
    assert [u.partition(": ")[2] for u, _ in attacked] == list(mean.units)
    assert [v for _, v in attacked] == mean.values.tolist()


def test_wrong_labels_cost_accuracy(seen):
    assert seen.series(WIDE, "noisy_top1").values.mean() < seen.series(WIDE, "clean_top1").values.mean() - 0.1


def test_clean_data_have_false_alarms_and_nothing_to_find(kept):
    clean, poisoned = (read_result(kept[WIDE, name]) for name in ("clean.json", "badnets-0.08.json"))
    assert clean.found == {}
    assert set(clean.accused) == set(poisoned.found) == {"spectral", "clusters", "strip", "cleanse"}
    assert clean.accused["spectral"] < 0.05
    assert poisoned.found["strip"] > 0.5
    assert poisoned.accused["strip"] < 0.2


def test_what_is_kept_is_not_trained_again(bench, seen, monkeypatch):
    def refuse(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(module, "taught", refuse)
    again = Seen(bench, measure(bench))
    for metric in ("attack_success", "top1_by_training", "found", "falsely_accused"):
        one, two = seen.series(WIDE, metric), again.series(WIDE, metric)
        assert one.units == two.units
        assert one.values.tolist() == two.values.tolist()


def test_the_report_shows_triggers_success_noise_and_false_alarms(seen, kept):
    shown = list(exhibit(seen))
    gallery = next(each for each in shown if isinstance(each, Gallery))
    assert len(gallery.pictures) == 2  # as they are, and with the patch
    chart = next(each for each in shown if isinstance(each, Chart))
    assert chart.series[0].x == (0.0, 8.0)
    backdoors = next(each for each in shown if isinstance(each, Table))
    assert backdoors.rows[1][4] == pytest.approx(100 * np.mean(read_result(kept[WIDE, "badnets-0.08.json"]).anyway))
    assert chart.series[0].y[1] == pytest.approx(100 * seen.series(WIDE, "attack_success").values.mean())
    guards = [each for each in shown if isinstance(each, Table)][-1]
    assert len(guards.rows) == 4
    assert all(value is not None for row in guards.rows for value in row)


def test_every_attack_meets_every_share_and_a_clean_training_comes_first():
    names = [each.name for each in conditions(PoisoningOptions(attacks="badnets,warped", rates="0.1,.01", noise=""))]
    assert names == ["clean", "badnets-0.01", "badnets-0.1", "warped-0.01", "warped-0.1"]
    assert Condition("backdoor", "clean-label", 0.05).file == "clean-label-0.05.json"


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"attacks": "badnet"}, "badnets"),
        ({"defences": "stripe"}, "strip"),
        ({"noise": "asymetric"}, "asymmetric"),
        ({"target": "eleven"}, "eleven"),
    ],
)
def test_a_name_that_there_is_not_is_told_in_a_line(tmp_path, wrong, named):
    options = PoisoningOptions(samples=32, images=20).model_copy(update=wrong)
    bench = lone_bench(options, tmp_path, contenders=[WIDE], data="digits?size=8", kept={})
    with pytest.raises(OptionError, match=named):
        next(iter(measure(bench)))


def test_lower_attack_success_is_better_and_each_image_is_bounded():
    question = STUDY.questions[0]
    assert (question.metric, question.direction, question.bounds) == ("attack_success", "lower", (0.0, 1.0))


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept_and_told(tmp_path):
    kept: Kept = {}
    few = OPTIONS.model_copy(update={"samples": 32, "images": 20, "noise": "", "defences": "spectral"})
    bench = lone_bench(few, tmp_path, contenders=[WIDE], data="digits?size=16&test=1400", kept=kept)
    seen = Seen(bench, measure(bench), kept)
    assert read_result(kept[WIDE, "badnets-0.08.json"]).found.keys() == {"spectral"}
    assert kept[WIDE, MEMORY_FILE] == b"[64, 32]"
    told = [each.text for each in exhibit(seen) if isinstance(each, Text)]
    assert any(each.startswith(f"64 images at once did not fit in memory: {WIDE} was shown 16") for each in told)
