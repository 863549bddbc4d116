from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from netversus.errors import CellError
from netversus.lab import features
from netversus.lab.bench import Bench
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.lab.shortage import MEMORY_FILE
from netversus.records import Emission, Observations, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.transfer import STUDY, TransferOptions
from netversus.studies.transfer.measure import measure
from netversus.study import Need


def seen(emissions: Iterable[Emission]) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for each in emissions:
        if isinstance(each, Observations):
            found.setdefault((each.contender, each.metric), {}).update(zip(each.units, each.values, strict=True))
    return found


def by_hand(bench: Bench, split: str, count: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Ids, features before the last layer, and labels, image by image."""
    card, images = bench.contenders[0], bench.data.split(split)
    body = bench.model(card)[:-1]
    order = recorded_shuffle(len(images), 0)[:count]
    with torch.no_grad():
        rows = [
            body(normalise(to_uint8(images.image(int(i)), card.preprocessing)[None], card.preprocessing))[0].numpy()
            for i in order
        ]
    return [images.ids[i] for i in order], np.stack(rows).astype(float), images.labels[order]


def test_probe_and_neighbours_answer_as_scikit_learn_does_on_features_computed_by_hand(make_bench) -> None:
    bench = make_bench()
    found = seen(measure(bench))
    _, train, labels = by_hand(bench, "train", 150)
    ids, test, truth = by_hand(bench, "test", 60)
    name = bench.contenders[0].name

    centre, spread = train.mean(axis=0), train.std(axis=0)
    spread = np.maximum(spread, np.median(spread) / 10)
    strength = found[name, "probe_strength"]["train"]
    model = LogisticRegression(C=strength, max_iter=1000).fit((train - centre) / spread, labels)
    right = model.predict((test - centre) / spread) == truth
    assert found[name, "probe_top1"] == dict(zip(ids, right.astype(float), strict=True))
    assert 0.2 < right.mean() < 1  # random features tell something, not all

    peer = KNeighborsClassifier(20, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.07))
    near = peer.fit(train, labels).predict(test) == truth
    assert found[name, "knn_top1"] == dict(zip(ids, near.astype(float), strict=True))


def test_the_few_shot_curve_ends_at_the_probe_and_so_do_the_stages(make_bench) -> None:
    bench = make_bench()
    found = seen(measure(bench))
    name = bench.contenders[0].name
    probe = np.mean(list(found[name, "probe_top1"].values()))
    shots = found[name, "few_shot_top1"]
    assert sorted({int(unit.split()[0]) for unit in shots}) == [1, 2, 5, 10, 15]
    assert shots["00015 images a class, draw 0"] == pytest.approx(probe)
    assert list(found[name, "stage_top1"]) == ["stage 1: 16 px", "stage 2: 8 px"]
    assert found[name, "stage_top1"]["stage 2: 8 px"] == pytest.approx(probe)


def test_an_image_is_decoded_once_for_all_contenders(make_bench, monkeypatch) -> None:
    bench = make_bench("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
    images, decoded = bench.data.split("train"), []
    plain = images.image
    monkeypatch.setattr(type(images), "image", lambda self, i: decoded.append((id(self), i)) or plain.__func__(self, i))
    for emission in measure(bench):
        if isinstance(emission, Progress) and emission.what == "contenders probed":
            break
    assert len(decoded) == len(set(decoded)) == 150 + 60


def test_features_that_are_on_the_disk_are_not_read_again(make_bench: Callable[..., Bench], monkeypatch) -> None:
    """Killed between two batches, the second reading begins where the first one saved, and ends the same."""
    monkeypatch.setattr(features, "SAVED_EVERY", 0.0)
    first = measure(make_bench(batch=20))
    for emission in first:
        if isinstance(emission, Progress) and emission.what == "train images read" and emission.done >= 60:
            break
    first.close()
    again = list(measure(make_bench(batch=20)))
    reading = [e.done for e in again if isinstance(e, Progress) and e.what == "train images read"]
    assert reading == [80, 100, 120, 140, 150]
    for shelf in make_bench().scratch(make_bench().contenders[0].name).iterdir():
        shelf.unlink()
    assert seen(again) == seen(measure(make_bench(batch=20)))


def test_what_is_stored_is_not_asked_again(make_bench) -> None:
    bench = make_bench()
    found = seen(measure(bench))
    stored = {pair: set(units) for pair, units in found.items()}
    again = list(measure(make_bench(stored=stored)))
    assert not [each for each in again if isinstance(each, Observations)]


def test_features_that_are_no_numbers_name_the_first_image(make_bench, monkeypatch) -> None:
    def broken(self, card, *, train=False):
        model = whole(self, card, train=train)
        torch.nn.init.constant_(model[0].weight, float("nan"))
        return model

    whole = Bench.model
    monkeypatch.setattr(Bench, "model", broken)
    with pytest.raises(CellError, match="NaN or infinite features, first on digits/"):
        list(measure(make_bench()))


def test_train_images_of_one_class_are_refused_in_words(make_bench, monkeypatch) -> None:
    bench = make_bench()
    monkeypatch.setattr(bench.data.split("train"), "labels", np.zeros(1000, np.int64))
    with pytest.raises(CellError, match="train images of two classes"):
        list(measure(bench))


def test_weights_for_other_classes_are_welcome() -> None:
    assert Need.LABELLED_IMAGES not in STUDY.needs
    assert Need.TORCH_MODULE in STUDY.needs


def test_the_options_hold_what_the_method_needs() -> None:
    options = TransferOptions()
    assert (options.neighbours, options.temperature) == (20, 0.07)


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept(make_bench) -> None:
    bench, kept = make_bench(images=20, train_images=60, tuning_samples=32, draws=1), {}
    bench.keep = lambda artifact: kept.update({(artifact.contender, artifact.name): artifact.content})
    found, name = seen(measure(bench)), bench.contenders[0].name
    assert len(found[name, "probe_top1"]) == len(found[name, "finetuned_top1"]) == 20
    assert kept == {(name, MEMORY_FILE): b"[64, 32]"}
