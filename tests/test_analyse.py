"""From stored observations to findings: paired on the unit, corrected once, honest about what was changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from netversus.analyse import analyse
from netversus.plan import make_plan
from netversus.records import ContenderCard, DataCard, Finding, Observations, Rates, Role, Verdict
from netversus.request import make_request
from netversus.statistics.proportions import mcnemar_mid_p, tango
from netversus.store import RunStore

IMAGES = 600


class Stored:
    """A run whose observations a test writes by hand."""

    def __init__(self, path: Path, cards: Sequence[ContenderCard], data: DataCard, **settings: object) -> None:
        self.cards, self.data = cards, data
        self.store = RunStore.create(path)
        labels = [i % len(data.classes) for i in range(IMAGES)]
        light = ["dim" if i % 3 else "bright" for i in range(IMAGES)]
        self.store.add_units("test", self.ids(), {"label": labels, "light": light})
        self.replan(**settings)

    def replan(self, **settings: object) -> None:
        request = make_request({"contenders": [c.name for c in self.cards], "studies": ("accuracy",), **settings})
        rates = {c.name: Rates(0.01, 0.03, 1000, measured=False) for c in self.cards}
        self.plan = make_plan(request, self.cards, self.data, rates, "cpu")
        self.store.add_plan(self.plan)

    @staticmethod
    def ids(count: int = IMAGES) -> list[str]:
        return [f"test/{i:05d}" for i in range(count)]

    def observe(
        self,
        contender: str,
        metric: str,
        values: Sequence[float],
        units: Sequence[str] = (),
        seed: int = 0,
        study: str = "accuracy",
    ):
        of_study = [c for c in self.plan.cells if c.study == study and c.seed == seed]
        cell = next(c for c in of_study if contender in c.contenders)
        units = tuple(units) or tuple(self.ids(len(values)))
        self.store.cell(cell).append([Observations(contender, metric, units, tuple(map(float, values)))])

    def findings(self, metric: str = "top1", **wanted: object) -> list[Finding]:
        wanted.setdefault("slice", "")
        found = [f for f in analyse(self.store) if f.metric == metric]
        return [f for f in found if all(getattr(f, name) == value for name, value in wanted.items())]


@pytest.fixture
def stored(tmp_path: Path, make_card: Callable[..., ContenderCard], data_card: DataCard) -> Callable[..., Stored]:
    def make(*cards: ContenderCard, **settings: object) -> Stored:
        cards = cards or (make_card("a", weights="x"), make_card("b", weights="x"))
        return Stored(tmp_path / "run", cards, data_card, **settings)

    return make


def right(share: float, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random(IMAGES) < share).astype(float)


def test_the_finding_is_what_the_formulae_say_of_the_stored_answers(stored: Callable[..., Stored]):
    run = stored()
    a, b = right(0.7), right(0.85, seed=1)
    run.observe("a", "top1", a)
    run.observe("b", "top1", b)
    (finding,) = run.findings()
    only_a, only_b = int(((a == 1) & (b == 0)).sum()), int(((b == 1) & (a == 0)).sum())
    expected = tango(only_b, only_a, IMAGES, 0.95)
    assert finding.effect is not None
    assert (finding.effect.low, finding.effect.high) == (expected.low, expected.high)
    assert finding.p_raw == mcnemar_mid_p(only_b, only_a)
    assert finding.verdict is Verdict.B_BETTER
    assert (finding.value_a, finding.value_b, finding.n) == (a.mean(), b.mean(), IMAGES)
    assert "b is better than a" in finding.sentence


def test_observations_are_paired_on_the_unit_and_not_on_their_place(stored: Callable[..., Stored]):
    run = stored()
    answers = right(0.7)
    order = np.random.default_rng(5).permutation(IMAGES)
    run.observe("a", "top1", answers)
    run.observe("b", "top1", answers[order], units=[run.ids()[i] for i in order])
    (finding,) = run.findings()
    assert finding.effect is not None
    assert finding.effect.estimate == 0
    assert finding.p_raw == 1


def test_contenders_seen_on_other_images_are_refused_and_not_cut_to_fit(stored: Callable[..., Stored]):
    run = stored()
    run.observe("a", "top1", right(0.7))
    run.observe("b", "top1", right(0.9)[:400])
    (finding,) = run.findings()
    assert finding.verdict is Verdict.UNDECIDED
    assert (finding.value_a, finding.value_b, finding.effect) == (None, None, None)
    assert "200 units (test/00400" in finding.sentence
    assert not run.findings(slice="class: 0")


def test_a_contender_without_observations_has_no_finding(stored: Callable[..., Stored]):
    run = stored()
    run.observe("a", "top1", right(0.7))
    assert run.findings() == []


def test_the_error_rate_is_spent_once(stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]):
    run = stored(*(make_card(name, weights="x") for name in "abc"))
    for i, name in enumerate("abc"):
        run.observe(name, "top1", right(0.7, i))
        run.observe(name, "nll", right(0.7, i) + 0.1)
        run.observe(name, "brier", right(0.7, i) + 0.1)
    primary, secondary = run.findings(), [f for m in ("nll", "brier") for f in run.findings(m)]
    assert len(primary) == 3
    assert len(secondary) == 6
    assert {round(1 - f.effect.level, 12) for f in primary if f.effect} == {round(0.05 / 3, 12)}
    assert {f.role for f in secondary} == {Role.SECONDARY}
    asked = 3 * 4  # pairs x the study's secondary questions, observed or not
    assert {round(1 - f.effect.level, 12) for f in secondary if f.effect} == {round(0.05 / asked, 12)}
    for finding in primary:
        assert finding.p_raw is not None
        assert finding.p_value == min(1.0, 3 * finding.p_raw)


def test_a_margin_changed_after_the_data_were_seen_is_shown_as_changed(stored: Callable[..., Stored]):
    run = stored()
    a = right(0.8)
    b = a.copy()
    b[:6] = 1 - b[:6]
    run.observe("a", "top1", a)
    run.observe("b", "top1", b)
    (before,) = run.findings()
    assert before.caveats == ()
    run.replan(margins={"accuracy.top1": 0.2})
    (after,) = run.findings()
    assert after.verdict is Verdict.EQUIVALENT
    assert (after.margin, after.margin_declared) == (0.2, 0.01)
    assert any("1 point when the run was planned and was changed later" in c for c in after.caveats)


def test_weights_of_different_recipes_are_said_to_confound(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    run = stored(make_card("a", weights="V1", recipe="v1"), make_card("b", weights="V2", recipe="v2"))
    for name, share in (("a", 0.7), ("b", 0.9)):
        run.observe(name, "top1", right(share))
    (finding,) = run.findings()
    assert any("different recipes (v1; v2)" in caveat for caveat in finding.caveats)


def test_one_seed_speaks_of_checkpoints_and_three_of_recipes(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    run = stored(make_card("a"), make_card("b"), studies=("training", "accuracy"), repeats=3)
    cells = [c for c in run.plan.cells if c.study == "accuracy"]
    for cell in cells:
        values = right(0.6 if cell.contenders == ("a",) else 0.9, cell.seed)
        observed = Observations(cell.contenders[0], "top1", tuple(run.ids()), tuple(values.tolist()))
        if cell.seed == 0:
            run.store.cell(cell).append([observed])
    (one,) = run.findings()
    assert one.scope == "checkpoints"
    assert any(c.startswith("1 training seed:") for c in one.caveats)
    for cell in cells:
        values = right(0.6 if cell.contenders == ("a",) else 0.9, cell.seed)
        observed = Observations(cell.contenders[0], "top1", tuple(run.ids()), tuple(values.tolist()))
        run.store.cell(cell).append([observed])
    (three,) = run.findings()
    assert three.scope == "recipes"
    assert three.verdict is Verdict.B_BETTER
    assert three.caveats == ()


def trained(stored: Callable[..., Stored], *cards: ContenderCard, repeats: int, study: str = "accuracy") -> Stored:
    """A run in which each contender has been measured with each seed that its plan has for it."""
    run = stored(*cards, studies=("training", study), repeats=repeats)
    metric = "robust_top1" if study == "adversarial" else "top1"
    for cell in (c for c in run.plan.cells if c.study == study):
        for name in cell.contenders:
            answers = right(0.6 if name == "a" else 0.65, 10 * cell.seed + ord(name))
            run.observe(name, metric, answers, seed=cell.seed, study=study)
            if study == "accuracy":
                run.observe(name, "confidence", np.full(IMAGES, 0.7), seed=cell.seed)
    return run


@pytest.mark.parametrize("repeats", [2, 3])
def test_a_function_of_the_whole_set_says_that_it_rests_on_the_first_of_several_seeds(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard], repeats: int
):
    run = trained(stored, make_card("a"), make_card("b"), repeats=repeats)
    (ece,) = run.findings("ece")
    assert ece.scope == "checkpoints"
    assert ece.value_a == pytest.approx(abs(0.7 - right(0.6, ord("a")).mean()))
    (caveat,) = [c for c in ece.caveats if "seed" in c]
    assert caveat.startswith(f"Of {repeats} training seeds only the first is used here: this is about these two")


def test_two_seeds_are_averaged_and_three_it_takes_for_recipes(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    (two,) = trained(stored, make_card("a"), make_card("b"), repeats=2).findings()
    (caveat,) = two.caveats
    assert caveat.startswith("2 training seeds: this is about these checkpoints")
    assert caveat.endswith("that takes an average over 3 seeds at least.")


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_one_training_seed_is_told_of_whichever_contender_has_it(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard], order: str
):
    cards = {"a": make_card("a", weights="V2"), "b": make_card("b")}
    (finding,) = trained(stored, *(cards[name] for name in order), repeats=1).findings()
    assert any(caveat.startswith("1 training seed: ") for caveat in finding.caveats)


def test_no_training_seed_is_told_of_where_none_was_trained_here(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    cards = [make_card(name, weights="V2") for name in "ab"]
    (finding,) = trained(stored, *cards, repeats=1).findings()
    assert finding.caveats == ()


def test_a_checkpoint_that_is_measured_three_times_is_no_recipe(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    """A study of all contenders at once measures those that come trained again, once a seed of the one that learns."""
    cards = [make_card("a", weights="V2"), make_card("b", weights="V2"), make_card("c")]
    run = trained(stored, *cards, repeats=3, study="adversarial")
    assert len({c.seed for c in run.plan.cells if c.study == "adversarial"}) == 3
    found = {(f.a, f.b): f for f in run.findings("robust_top1")}
    assert {f.scope for f in found.values()} == {"checkpoints"}
    assert found["a", "b"].caveats == ()
    first, second, level = right(0.6, ord("a")), right(0.65, ord("b")), found["a", "b"].effect.level
    assert found["a", "b"].effect == tango(int((second > first).sum()), int((first > second).sum()), IMAGES, level)
    assert any(c.startswith("Of 3 training seeds only the first") for c in found["b", "c"].caveats)


def test_two_that_learn_are_recipes_beside_one_that_comes_trained(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    cards = [make_card("a", weights="V2"), make_card("b"), make_card("c")]
    found = {(f.a, f.b): f for f in trained(stored, *cards, repeats=3, study="adversarial").findings("robust_top1")}
    assert {pair: f.scope for pair, f in found.items()} == {
        ("a", "b"): "checkpoints",
        ("a", "c"): "checkpoints",
        ("b", "c"): "recipes",
    }


def test_slices_of_recipes_say_that_they_rest_on_the_first_seed(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    run = trained(stored, make_card("a"), make_card("b"), repeats=3)
    (whole,) = run.findings()
    part = next(f for f in analyse(run.store) if f.slice == "class: 7")
    seven = np.arange(IMAGES) % 10 == 7
    assert (whole.scope, part.scope) == ("recipes", "checkpoints")
    assert part.value_a == right(0.6, ord("a"))[seven].mean()
    assert [c.partition(":")[0] for c in part.caveats] == ["Of 3 training seeds only the first is used here"]


def test_slices_carry_the_caveats_of_their_whole_and_the_margin_that_was_declared(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    run = stored(make_card("a", weights="V1", recipe="v1"), make_card("b", weights="V2", recipe="v2"))
    for name in "ab":
        run.observe(name, "top1", right(0.9))
    run.replan(margins={"accuracy.top1": 0.5})
    (whole,) = run.findings()
    part = next(f for f in analyse(run.store) if f.slice == "class: 7")
    assert len(part.caveats) == 2
    assert part.caveats == whole.caveats
    assert (part.margin, part.margin_declared) == (0.5, 0.01)
    assert "beforehand" not in part.sentence


def test_all_slices_of_all_pairs_share_one_error_rate(
    stored: Callable[..., Stored], make_card: Callable[..., ContenderCard]
):
    """By the union bound: their errors add up to the run's, whatever the slices have to do with each other."""
    run = stored(*(make_card(name, weights="x") for name in "abcd"))
    for name in "abcd":
        run.observe(name, "top1", right(0.8, ord(name)))
    errors = [1 - f.effect.level for f in analyse(run.store) if f.slice and f.effect]
    assert len(errors) == 6 * 12
    assert sum(errors) == pytest.approx(0.05)
    for finding in (f for f in analyse(run.store) if f.slice):
        assert finding.p_raw is not None
        assert finding.p_value == min(1.0, 6 * 12 * finding.p_raw)


def test_slices_are_classes_and_factors_with_a_correction_of_their_own(stored: Callable[..., Stored]):
    run = stored()
    a, b = right(0.8), right(0.8, 1)
    run.observe("a", "top1", a)
    run.observe("b", "top1", b)
    slices = {f.slice: f for f in analyse(run.store) if f.slice}
    assert set(slices) == {*(f"class: {i}" for i in range(10)), "light: dim", "light: bright"}
    seven = np.arange(IMAGES) % 10 == 7
    part = slices["class: 7"]
    assert (part.n, part.value_a, part.value_b) == (60, a[seven].mean(), b[seven].mean())
    assert part.effect is not None
    assert part.effect.level == pytest.approx(1 - 0.05 / 12)


def test_the_same_run_gives_the_same_findings(stored: Callable[..., Stored]):
    run = stored()
    for name in "ab":
        run.observe(name, "nll", np.random.default_rng(ord(name)).exponential(size=IMAGES))
    assert analyse(run.store) == analyse(RunStore.open(run.store.path))


def test_exchanging_the_contenders_mirrors_every_verdict(
    tmp_path: Path, make_card: Callable[..., ContenderCard], data_card: DataCard
):
    verdicts = []
    for names in (("a", "b"), ("b", "a")):
        cards = [make_card(name, weights="x") for name in names]
        run = Stored(tmp_path / "".join(names), cards, data_card)
        for name, share in (("a", 0.7), ("b", 0.85)):
            run.observe(name, "top1", right(share, ord(name)))
        verdicts += [f.verdict for f in run.findings()]
    assert verdicts[0] is verdicts[1].mirrored()
    assert verdicts[0] is Verdict.B_BETTER


def test_the_plan_is_untouched_by_the_analysis(stored: Callable[..., Stored]):
    run = stored()
    analyse(run.store)
    assert run.store.plan() == replace(run.plan)
