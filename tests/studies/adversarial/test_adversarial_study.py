"""The study on networks whose smallest adversarial examples are known, and on one that only hides its gradients."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from netversus.errors import OptionError
from netversus.exhibits import Gallery, Table, Text
from netversus.lab.attacks.victim import AVERAGED
from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.evaluation import batches
from netversus.lab.shortage import MEMORY_FILE
from netversus.records import Artifact, Emission, Observations
from netversus.statistics.pairing import Sample
from netversus.studies.adversarial import STUDY, AdversarialOptions
from netversus.studies.adversarial import exhibit as shown
from netversus.studies.adversarial import protocol as names
from netversus.studies.adversarial.measure import Siege, measure

OPTIONS = {
    "images": 24,
    "batch": 16,
    "steps": 12,
    "targets": 3,
    "queries": 150,
    "checks": 8,
    "smoothing_images": 3,
    "smoothing_copies": 100,
    "transfer_steps": 5,
}


def _model(num_classes: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3 * 16, num_classes))


def plain(num_classes: int = 10) -> nn.Module:
    return _model(num_classes)


class _Hiding(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.inner = _model(num_classes)

    def forward(self, images):
        return self.inner((images * 128).round() / 128)


def hiding(num_classes: int = 10) -> nn.Module:
    return _Hiding(num_classes)


class Seen:
    """What was emitted, as a report sees it."""

    def __init__(self, bench: Bench, emissions: Iterable[Emission]) -> None:
        self.contenders, self.data, self.seeds = bench.contenders, bench.data.card, [0]
        self.values: dict[tuple[str, str], dict[str, float]] = {}
        self.artifacts: dict[tuple[str, str], bytes] = {}
        for each in emissions:
            if isinstance(each, Observations):
                found = self.values.setdefault((each.contender, each.metric), {})
                found.update(zip(each.units, each.values, strict=True))
            elif isinstance(each, Artifact):
                self.artifacts[each.contender, each.name] = each.content

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        found = self.values.get((contender, metric))
        return Sample(tuple(found), np.array(list(found.values()))) if found else None

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        return self.artifacts.get((contender, name))


def bench_of(folder: Path, models: dict[str, nn.Module], **options: object) -> Bench:
    """Tiny contenders whose networks are put in their place, on the digits as they answer them."""
    data = open_data("digits")
    cards = [resolve("py:tiny_nets:narrow@scratch", data.card), resolve("py:tiny_nets:wide@scratch", data.card)]

    class Given(Bench):
        def model(self, card, *, train=False):
            return models[card.name].eval()

    return Given(
        contenders=[card for card in cards if card.name in models],
        data=data,
        options=AdversarialOptions(**(OPTIONS | options)),
        seed=0,
        device=torch.device("cpu"),
        stored=lambda contender, metric: (),
        scratch=lambda name: folder / "scratch",
        flush=lambda: None,
    )


A, B = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"


@pytest.fixture(scope="module")
def fitted() -> dict[str, nn.Module]:
    """Two linear networks trained on the digits, the second with its gradients hidden."""
    from netversus.lab.preprocessing import normalise, to_uint8

    data = open_data("digits")
    card, train = resolve(A, data.card), data.split("train")
    stack = torch.stack([to_uint8(train.image(i), card.preprocessing) for i in range(600)])
    inputs, labels = normalise(stack, card.preprocessing), torch.from_numpy(train.labels[:600])
    model = plain()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    hidden = _Hiding(10)
    hidden.inner.load_state_dict(model.state_dict())
    return {A: model, B: hidden}


@pytest.fixture(scope="module")
def seen(fitted, tmp_path_factory) -> Seen:
    bench = bench_of(tmp_path_factory.mktemp("run"), fitted)
    return Seen(bench, measure(bench))


def exact(model: nn.Module, std: float, pixels: torch.Tensor, mean: float) -> torch.Tensor:
    """The l-inf distance in pixels to the nearest wrong answer of the linear network, [0, 1] not looked at: from below."""
    weight, bias = model[-1].weight.double(), model[-1].bias.double()
    inputs = (pixels.double() - mean) / std
    features = nn.functional.avg_pool2d(inputs, 8).flatten(1)
    logits = features @ weight.T + bias
    top = logits.argmax(1)
    gaps = logits.gather(1, top[:, None]) - logits
    # a pixel's weight is its cell's over 64, and over std: 64 pixels a cell leave the cell's
    lengths = (weight[top][:, None] - weight[None]).abs().sum(2) / std
    distances = gaps / lengths
    distances[torch.arange(len(pixels)), top] = torch.inf
    return distances.amin(1).detach()


def test_the_smallest_eps_is_no_smaller_than_the_exact_one_and_near_it(seen, fitted):
    from netversus.lab.preprocessing import to_uint8

    card = seen.contenders[0]
    images = open_data("digits").split("test")
    rows = {unit: i for i, unit in enumerate(images.ids)}
    found, clean = seen.values[A, "smallest_eps"], seen.values[A, "clean_top1"]
    units = [unit for unit in found if clean[unit] and found[unit] < 8]
    assert len(units) > 3
    pixels = torch.stack([to_uint8(images.image(rows[u]), card.preprocessing) for u in units]).float() / 255
    floor = 255 * exact(fitted[A], card.preprocessing.std[0], pixels, card.preprocessing.mean[0])
    mine = torch.tensor([found[u] for u in units], dtype=torch.float64)
    assert bool((mine >= floor * 0.999).all())
    assert float((mine / floor).median()) < 1.6  # the box [0, 1] binds at black and white pixels, where most digits lie


def test_the_share_of_right_answers_falls_with_eps_and_with_every_attack(seen):
    settings = names.loaded(seen.artifact(names.PROTOCOL, A))
    for contender in (A, B):
        by_eps = [seen.values[contender, "clean_top1"]] + [
            seen.values[contender, names.right_at(eps)] for eps in settings.distances
        ]
        by_attack = [seen.values[contender, names.right_after(attack)] for attack in settings.attacks]
        for values in (by_eps, by_attack):
            for before, after in pairwise(values):
                assert all(after[unit] <= before[unit] for unit in before)
        assert by_attack[-1] == seen.values[contender, names.right_at(8.0)] == seen.values[contender, "robust_top1"]


def test_hidden_gradients_do_not_make_a_contender_look_better_without_a_word(seen):
    told = [each.text for each in shown.exhibit(seen) if isinstance(each, Text)]
    doubted = [text for text in told if "too good" in text]
    assert len(doubted) == 1
    assert B in doubted[0]
    assert "8/255" in doubted[0]
    assert json.loads(seen.artifact(names.CHECKS, A))["no_gradient"] == 0
    assert json.loads(seen.artifact(names.CHECKS, B))["no_gradient"] > 0


def test_what_is_made_on_the_plain_network_misleads_its_double_that_hides(seen):
    lost = sum(seen.values[B, "clean_top1"].values()) - sum(seen.values[B, "transfer_top1"].values())
    other = sum(seen.values[A, "clean_top1"].values()) - sum(seen.values[A, "transfer_top1"].values())
    assert lost > other
    assert lost > 0


def test_the_report_says_the_threat_and_never_a_bare_secure_or_robust(seen):
    each = list(shown.exhibit(seen))
    assert isinstance(each[0], Text)
    assert "8/255 in l-inf" in each[0].text
    words = " ".join(str(part) for part in each if not isinstance(part, Gallery)).lower()
    assert "secure" not in words
    assert " robust " not in words
    tables = {table.title: table for table in each if isinstance(table, Table)}
    assert any("Who misleads whom" in title for title in tables)
    galleries = [part for part in each if isinstance(part, Gallery)]
    assert galleries
    assert all("times as large" in picture.caption for picture in galleries[0].pictures)


def test_what_was_found_before_an_interruption_is_not_searched_again(fitted, tmp_path, monkeypatch):
    from netversus.studies.adversarial import found

    bench = bench_of(tmp_path, {A: fitted[A]}, images=8)
    first = Seen(bench, measure(bench))
    monkeypatch.setattr(found, "cascade", lambda *_, **__: pytest.fail("searched again"))
    again = Seen(bench, measure(bench))
    assert first.values == again.values


def test_a_certificate_is_smaller_than_the_smallest_l2_example(fitted, tmp_path):
    bench = bench_of(tmp_path, {A: fitted[A]}, images=4, norm="l2", smoothing_images=4)
    found = Seen(bench, measure(bench))
    for unit, radius in found.values[A, "certified_radius"].items():
        # of the smoothed network; a linear network smoothed is itself
        assert (
            radius <= found.values[A, "smallest_eps"][unit] / 255 + 1e-9 or found.values[A, "smallest_eps"][unit] >= 128
        )


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [("eps", -1, "greater than or equal to 0"), ("attacks", "fgsm,pdg", "pgd"), ("curve", "1,x", "numbers by comma")],
)
def test_a_setting_that_cannot_be_is_one_clear_line(name, value, words):
    with pytest.raises((OptionError, ValueError), match=words):
        AdversarialOptions(**{name: value})


@pytest.mark.parametrize(
    ("side", "norm", "eps"), [(32, "linf", 8), (127, "linf", 8), (224, "linf", 4), (32, "l2", 128)]
)
def test_eps_follows_robustbench(side, norm, eps):
    assert names.protocol(AdversarialOptions(norm=norm), side).eps == eps
    assert names.protocol(AdversarialOptions(norm=norm, eps=2), side).eps == 2


def test_both_ways_of_the_transfer_are_told_as_counted_by_hand(seen):
    (table,) = [each for each in shown.exhibit(seen) if isinstance(each, Table) and "Who misleads whom" in each.title]
    cells = {row[0]: row[1:] for row in table.rows}
    assert (cells[A][0], cells[B][1]) == (None, None)  # nobody is shown to itself
    for source, target, told in ((A, B, cells[A][1]), (B, A, cells[B][0])):
        clean, after = seen.values[target, "clean_top1"], seen.values[target, names.UNDER]
        right = [unit for unit, value in clean.items() if value]
        lost = [unit for unit in right if not after[names.under(unit, source)]]
        assert told == pytest.approx(100 * len(lost) / len(right))
    assert cells[A][1] > cells[B][0]  # who hides its gradients has none to make a weapon of


def test_a_contender_that_only_hides_is_told_by_what_its_double_finds(seen):
    (table,) = [each for each in shown.exhibit(seen) if isinstance(each, Table) and "Checks" in each.title]
    row = next(row for row in table.rows if "made on another contender" in str(row[0]))
    assert not str(row[1 + [A, B].index(A)]).endswith("!")
    assert str(row[1 + [A, B].index(B)]).endswith("!")


def test_reading_ends_once_the_verdict_is_certain(fitted, tmp_path):
    looks = iter([False, True])
    bench = replace(bench_of(tmp_path, {A: fitted[A]}, images=24, batch=4), enough=lambda: next(looks))
    stopped = Seen(bench, measure(bench))
    assert len(stopped.values[A, "robust_top1"]) == 8
    assert stopped.artifact(names.CHECKS, A) is not None
    assert STUDY.sequential is not None


class _Dropping(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, images):
        return self.inner(images + 0.2 * torch.randn_like(images))


def test_a_contender_that_draws_random_numbers_is_attacked_through_their_average_and_named(fitted, tmp_path):
    torch.manual_seed(0)
    options = {"images": 4, "steps": 2, "queries": 2, "curve": "", "attacks": "pgd,apgd-ce", "checks": 4}
    bench = bench_of(tmp_path, {A: _Dropping(fitted[A])}, **options)
    siege = Siege(bench)
    batch = next(
        batches(
            bench.data.split("test"), np.arange(4), 4, bench.device, preprocessings=[bench.contenders[0].preprocessing]
        )
    )
    list(siege.attacked(batch))
    assert siege.searches[A].victim.passes == AVERAGED
    assert json.loads(next(siege.checked(bench.contenders[0])).content)["random_outputs"] > 0


FEW = {"images": 4, "batch": 4, "steps": 2, "curve": "", "attacks": "pgd", "checks": 2, "smoothing_images": 1}


def said(bench: Bench, kept: dict[tuple[str, str], bytes]) -> list[str]:
    """The sentences of the report."""
    seen = Seen(bench, measure(bench))
    seen.artifacts |= kept
    return [each.text for each in shown.exhibit(seen) if isinstance(each, Text)]


def test_an_image_that_cannot_be_read_is_left_out_for_all_and_the_report_names_it(fitted, tmp_path, torn):
    words = f"1 image could not be read and was left out for every contender: {torn}: torn."
    assert words in said(bench_of(tmp_path, fitted, **FEW), {})


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept_and_told(fitted, tmp_path):
    kept: dict[tuple[str, str], bytes] = {}
    bench = replace(
        bench_of(tmp_path, {A: fitted[A]}, **FEW),
        keep=lambda artifact: kept.update({(artifact.contender, artifact.name): artifact.content}),
    )
    words = f"64 images at once did not fit in memory: {A} was shown 16 at once."
    assert any(each.startswith(words) for each in said(bench, kept))
    assert kept == {(A, MEMORY_FILE): b"[64, 32]"}
