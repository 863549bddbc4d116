from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors

from lone_bench import Seen
from netversus.errors import CellError
from netversus.exhibits import Text
from netversus.lab.bench import Bench
from netversus.lab.corruptions import COMMON, SEVERITIES
from netversus.lab.corruptions.corrupt import corrupt
from netversus.lab.data.digits import DigitImages
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.lab.shortage import MEMORY_FILE
from netversus.records import Artifact, Emission, Observations
from netversus.statistics.order import recorded_shuffle
from netversus.studies.corruption import measure as module
from netversus.studies.corruption.exhibit import exhibit
from netversus.studies.corruption.gallery import FILE, loaded
from netversus.studies.corruption.measure import measure
from netversus.studies.corruption.outliers import KINDS, mahalanobis, neighbour_distance, outlier_ids

NARROW, WIDE = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"


def seen(emissions: Iterable[Emission]) -> dict[tuple[str, str], dict[str, float]]:
    found: dict[tuple[str, str], dict[str, float]] = {}
    for each in emissions:
        if isinstance(each, Observations):
            found.setdefault((each.contender, each.metric), {}).update(zip(each.units, each.values, strict=True))
    return found


@pytest.fixture(scope="module")
def emissions(make_bench) -> list[Emission]:
    return list(measure(make_bench(NARROW, WIDE)))


@pytest.fixture(scope="module")
def by_hand(make_bench) -> dict[str, dict[str, np.ndarray]]:
    """Right answers and likelihoods of the wide network, image by image and copy by copy, and its clean answers."""
    bench = make_bench(WIDE)
    card, images = bench.contenders[0], bench.data.split("test")
    model = bench.model(card)
    found: dict[str, dict[str, np.ndarray]] = {}
    for i in recorded_shuffle(len(images), 0)[:12]:
        unit, pixels = images.ids[i], to_uint8(images.image(int(i)), card.preprocessing)[None]
        copies = {
            f"{name}/{severity}": corrupt(pixels, name, severity, [unit]) for name in COMMON for severity in SEVERITIES
        }
        with torch.no_grad():
            logs = model(normalise(torch.cat([pixels, *copies.values()]), card.preprocessing)).double().log_softmax(1)
        label = int(images.labels[i])
        found[unit] = {
            "names": np.array(["clean/0", *copies]),
            "right": (logs.argmax(1) == label).double().numpy(),
            "nll": -logs[:, label].numpy(),
        }
    return found


def test_an_image_counts_once_with_its_mean_over_all_copies(emissions, by_hand) -> None:
    found = seen(emissions)
    for unit, rows in by_hand.items():
        assert found[WIDE, "clean_top1"][unit] == rows["right"][0]
        assert found[WIDE, "corrupted_top1"][unit] == pytest.approx(rows["right"][1:].mean())
        assert found[WIDE, "accuracy_lost"][unit] == pytest.approx(rows["right"][0] - rows["right"][1:].mean())
        assert found[WIDE, "corrupted_nll"][unit] == pytest.approx(rows["nll"][1:].mean(), abs=1e-4)
    assert len(found[WIDE, "corrupted_top1"]) == 12


def test_the_sums_of_the_batches_are_the_accuracies_of_each_corruption(emissions, by_hand) -> None:
    found = seen(emissions)
    for place, name in enumerate(next(iter(by_hand.values()))["names"]):
        parts = [unit for unit in found[WIDE, "severity_right"] if unit.startswith(f"{name}/")]
        assert sum(found[WIDE, "severity_images"][unit] for unit in parts) == 12
        right = sum(found[WIDE, "severity_right"][unit] for unit in parts)
        assert right == sum(rows["right"][place] for rows in by_hand.values())


def test_each_copy_is_made_once_and_each_image_decoded_once_for_all_contenders(make_bench, monkeypatch) -> None:
    made, decoded = [], []
    monkeypatch.setattr(
        module, "corrupt", lambda pixels, name, s, ids, seed: made.append((name, s, ids)) or pixels.clone()
    )
    plain = DigitImages.image
    bench = make_bench(NARROW, WIDE)
    monkeypatch.setattr(DigitImages, "image", lambda self, i: decoded.append(self.ids[i]) or plain(self, i))
    for each in measure(bench):
        if isinstance(each, Observations) and each.metric == "outlier_energy":
            break
    assert len(made) == len({(name, s, ids) for name, s, ids in made}) == 2 * 15 * 5
    # The test images are read once more beside the outliers, and not once for each contender.
    assert all(decoded.count(unit) <= 2 for unit in decoded)


def test_what_is_stored_is_not_asked_again(make_bench, emissions) -> None:
    stored = {pair: set(units) for pair, units in seen(emissions).items()}
    again = list(measure(make_bench(NARROW, WIDE, stored=stored)))
    assert not [each for each in again if isinstance(each, Observations | Artifact)]


def test_outliers_are_told_by_answers_and_features(emissions, make_bench) -> None:
    found = seen(emissions)
    bench: Bench = make_bench(WIDE)
    card, images = bench.contenders[0], bench.data.split("test")
    model = bench.model(card)
    order = recorded_shuffle(len(images), 0)[:12]
    for i in order:
        inputs = normalise(to_uint8(images.image(int(i)), card.preprocessing)[None], card.preprocessing)
        with torch.no_grad():
            logits = model(inputs)[0].double()
        unit = images.ids[i]
        assert found[WIDE, "outlier_energy"][unit] == pytest.approx(-float(logits.logsumexp(0)), abs=1e-4)
        assert found[WIDE, "outlier_max_logit"][unit] == pytest.approx(-float(logits.max()), abs=1e-4)
        assert found[WIDE, "outlier"][unit] == 0
    units = outlier_ids(12)
    assert {unit.split("/")[1] for unit in units} == set(KINDS)
    assert all(found[WIDE, "outlier"][unit] == 1 for unit in units)
    assert all(
        set(found[WIDE, f"outlier_{score}"]) == set(found[WIDE, "outlier"]) for score in ("mahalanobis", "neighbours")
    )


def test_without_train_images_features_tell_nothing(make_bench) -> None:
    bench = make_bench(WIDE)
    object.__setattr__(bench.data, "splits", {"test": bench.data.splits["test"]})
    found = seen(measure(bench))
    assert (WIDE, "outlier_energy") in found
    assert (WIDE, "outlier_neighbours") not in found


def test_the_distances_are_those_of_plain_linear_algebra() -> None:
    rng = np.random.default_rng(0)
    known, labels, features = rng.normal(size=(40, 5)), np.repeat([0, 3], 20), rng.normal(size=(7, 5))
    known[20:] += 2
    means = [known[labels == each].mean(axis=0) for each in (0, 3)]
    centred = np.concatenate([known[labels == each] - mean for each, mean in zip((0, 3), means, strict=True)])
    inverse = np.linalg.inv(LedoitWolf(assume_centered=True).fit(centred).covariance_)
    slow = [min((row - mean) @ inverse @ (row - mean) for mean in means) for row in features]
    assert mahalanobis(known, labels, features).numpy() == pytest.approx(slow)

    unit = known / np.linalg.norm(known, axis=1, keepdims=True)
    asked = features / np.linalg.norm(features, axis=1, keepdims=True)
    peer = NearestNeighbors(n_neighbors=4).fit(unit).kneighbors(asked)[0][:, 3]
    assert neighbour_distance(torch.from_numpy(known), torch.from_numpy(features), 4).numpy() == pytest.approx(peer)


def test_the_first_image_is_kept_under_everything(emissions, make_bench) -> None:
    kept = [each for each in emissions if isinstance(each, Artifact) and each.contender == WIDE]
    assert [each.name for each in kept] == [FILE]
    unit, strips = loaded(kept[0].content)
    images = make_bench(WIDE).data.split("test")
    assert unit == images.ids[recorded_shuffle(len(images), 0)[0]]
    assert set(strips) == {"clean", *COMMON}
    assert (strips["fog"].width, strips["fog"].height) == (5 * 32, 32)


def test_outputs_that_are_no_numbers_name_image_and_corruption(make_bench, monkeypatch) -> None:
    def broken(self, card):
        model = whole(self, card)
        torch.nn.init.constant_(model[0].weight, float("nan"))
        return model

    whole = Bench.model
    monkeypatch.setattr(Bench, "model", broken)
    with pytest.raises(CellError, match=r"NaN or infinite outputs, first on digits/.* under clean"):
        list(measure(make_bench()))


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept(make_bench) -> None:
    bench, kept = make_bench(WIDE, images=4, batch=4, outliers=4, train_images=20), {}
    bench.keep = lambda artifact: kept.update({(artifact.contender, artifact.name): artifact.content})
    found = seen(measure(bench))
    assert len(found[WIDE, "corrupted_top1"]) == 4
    assert len(found[WIDE, "outlier_neighbours"]) == 8
    assert kept == {(WIDE, MEMORY_FILE): b"[64, 32]"}


def test_an_image_that_cannot_be_read_is_left_out_for_all_and_the_report_names_it(make_bench, torn: str) -> None:
    bench = make_bench(NARROW, WIDE, images=4, batch=2, outliers=4, train_images=20)
    shown = Seen(bench, measure(bench))
    for name in (NARROW, WIDE):
        units = shown.series(name, "corrupted_top1").units
        assert len(units) == 3
        assert torn not in units
    said = [each.text for each in exhibit(shown) if isinstance(each, Text)]
    assert f"1 image could not be read and was left out for every contender: {torn}: torn." in said
