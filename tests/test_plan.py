"""The plan: pure, keyed by content, cut to the budget, and honest about what it cannot run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from netversus.errors import OptionError
from netversus.lab.engines import missing_here
from netversus.plan import Plan, Reading, make_plan, reading_of, settled_options, with_engines_of_now
from netversus.records import ContenderCard, DataCard, Rates, Role
from netversus.request import make_request

Make = Callable[..., Plan]


@pytest.fixture
def plan(make_card: Callable[..., ContenderCard], data_card: DataCard, rates: Callable[..., dict[str, Rates]]) -> Make:
    def make(*names: str, cards: list[ContenderCard] | None = None, data: DataCard = data_card, **settings: object):
        names = names or ("resnet18", "resnet34")
        settings.setdefault("studies", ("accuracy", "training"))
        cards = cards or [make_card(name) for name in names]
        request = make_request({"contenders": names, **settings})
        return make_plan(request, cards, data, rates(*(card.name for card in cards)), "cpu")

    return make


def test_the_same_request_gives_the_same_plan(plan: Make):
    assert plan() == plan()


def test_accuracy_waits_for_the_training_of_its_own_contender_and_seed(plan: Make):
    cells = plan(repeats=2).cells
    training = {(c.contenders, c.seed): c.key for c in cells if c.study == "training"}
    accuracy = [c for c in cells if c.study == "accuracy"]
    assert len(training) == len(accuracy) == 4
    assert all(c.after == (training[c.contenders, c.seed],) for c in accuracy)
    assert [c.study for c in cells] == ["training"] * 4 + ["accuracy"] * 4


def test_a_study_that_finetunes_begins_with_what_the_run_trains_and_runs_without_it(plan: Make, data_card: DataCard):
    boxes = replace(data_card, frames={"train": 8, "test": 8}, box_classes=("ring",), frame_side=64)
    both = plan(data=boxes, studies=("detection", "training")).cells
    training = {c.contenders: c.key for c in both if c.study == "training"}
    assert [c.study for c in both] == ["training"] * 2 + ["detection"] * 2
    assert all(c.after == (training[c.contenders],) for c in both if c.study == "detection")
    alone = plan(data=boxes, studies=("detection",)).cells
    assert not any(c.after or c.blocked for c in alone)
    assert not {c.key for c in alone} & {c.key for c in both}


def test_adding_a_contender_keeps_every_key(plan: Make):
    two, three = plan(), plan("resnet18", "resnet34", "resnet50")
    assert {c.key for c in two.cells} < {c.key for c in three.cells}


@pytest.mark.parametrize(
    "settings", [{"seed": 1}, {"options": {"training": {"batch": 16}}}, {"options": {"training": {"epochs": 2}}}]
)
def test_what_determines_the_result_changes_the_key(plan: Make, settings: dict[str, object]):
    assert not {c.key for c in plan().cells} & {c.key for c in plan(**settings).cells}


def test_a_contender_under_another_name_is_measured_again(
    plan: Make, make_card: Callable[..., ContenderCard], data_card: DataCard
):
    old = make_card("old", spec="old=resnet18", architecture="resnet18", digest="digest of resnet18")
    named = plan(cards=[old, make_card("resnet34")]).cells
    apart = {c.key for c in plan().cells} ^ {c.key for c in named}
    assert {c.contenders for c in named if c.key in apart} == {("old",)}


def test_what_does_not_determine_the_result_keeps_the_key(plan: Make):
    assert {c.key for c in plan().cells} == {c.key for c in plan(level=0.9, margins={"accuracy.top1": 0.5}).cells}


def test_other_weights_or_data_change_the_key(plan: Make, make_card: Callable[..., ContenderCard], data_card: DataCard):
    before = {c.key for c in plan().cells}
    assert not before & {c.key for c in plan(data=replace(data_card, digest="other")).cells}
    cards = [make_card("resnet18", digest="other"), make_card("resnet34")]
    assert len(before & {c.key for c in plan(cards=cards).cells}) == 2


def test_a_budget_gives_both_contenders_the_same_fewer_samples(plan: Make):
    full, cut = plan(), plan(budget=60)
    options = {c.options["samples"] for c in cut.cells if c.study == "training"}
    assert len(options) == 1
    assert options.pop() < 10_000
    assert full.cost.seconds > 60
    assert cut.cost.seconds <= 60
    assert any("training" in line and "samples" in line for line in cut.cuts)
    assert not full.cuts


def test_a_generous_budget_cuts_nothing(plan: Make):
    assert plan(budget=1e6).cuts == ()
    assert {c.key for c in plan(budget=1e6).cells} == {c.key for c in plan().cells}


def test_repeats_share_the_budget(plan: Make):
    once, thrice = plan(budget=300), plan(budget=300, repeats=3)
    assert thrice.cost.seconds <= 300
    assert once.cells[0].options["samples"] > thrice.cells[0].options["samples"]


def test_a_budget_that_nothing_fits_is_said(plan: Make):
    assert any("the shortest useful plan takes" in line for line in plan(budget=1).cuts)


def test_random_weights_without_training_are_blocked_with_the_reason(plan: Make):
    cells = plan(studies=("accuracy",)).cells
    assert all("random weights" in cell.blocked for cell in cells)


def test_published_weights_are_not_trained_and_need_no_training(plan: Make, make_card: Callable[..., ContenderCard]):
    cards = [make_card("resnet18", weights="V1"), make_card("resnet34")]
    cells = {(c.study, c.contenders[0]): c for c in plan(cards=cards).cells}
    assert "comes with weights" in cells["training", "resnet18"].blocked
    assert cells["accuracy", "resnet18"].after == ()
    assert not cells["accuracy", "resnet18"].blocked
    assert cells["accuracy", "resnet34"].after == (cells["training", "resnet34"].key,)


def test_data_without_a_train_split_block_training(plan: Make, data_card: DataCard):
    cells = plan(data=replace(data_card, splits={"test": 10})).cells
    assert all("no train split" in c.blocked for c in cells if c.study == "training")


def test_margins_are_written_into_the_plan(plan: Make):
    questions = {q.metric: q for q in plan(margins={"accuracy.top1": 0.03}).questions["accuracy"]}
    assert questions["top1"].margin == 0.03
    assert questions["brier"].margin == 0.01


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"studies": ("acuracy",)}, "did you mean accuracy"),
        ({"options": {"training": {"epoch": 3}}}, "did you mean epochs"),
        ({"options": {"training": {"epochs": -1}}}, "greater than 0, got -1"),
        ({"options": {"speeed": {}}}, "not part of this comparison"),
        ({"margins": {"accuracy.top2": 0.1}}, "did you mean accuracy.top"),
        ({"repeats": 0}, "greater than or equal to 1, got 0"),
        ({"level": 95}, "less than 1, got 95"),
        ({"budget": "soon"}, "a length of time such as 90s"),
        ({"colour": "red"}, "no setting 'colour'"),
    ],
)
def test_wrong_settings_are_one_line_that_says_what_came(plan: Make, settings: dict[str, object], words: str):
    with pytest.raises(OptionError) as caught:
        plan(**settings)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("1.5m", 90)])
def test_budgets_are_lengths_of_time(plan: Make, text: str, seconds: float):
    assert plan(budget=text).request.budget == seconds


def test_a_run_that_is_added_to_keeps_the_options_it_settled_on(
    plan: Make, make_card: Callable[..., ContenderCard], data_card: DataCard, rates: Callable[..., dict[str, Rates]]
):
    first = plan(budget=60)
    names = ("resnet18", "resnet34", "resnet50")
    request = make_request({"contenders": names, "studies": ("accuracy", "training"), "budget": 60})
    cards = [make_card(name) for name in names]
    slower = rates(*names, infer=0.05, train=0.2)
    again = make_plan(request, cards, data_card, slower, "cpu", settled_options(first))
    assert {c.key for c in first.cells} < {c.key for c in again.cells}
    anew = make_plan(request, cards, data_card, slower, "cpu")
    assert not {c.key for c in first.cells} & {c.key for c in anew.cells}


def test_every_pair_is_asked_or_each_against_the_baseline(plan: Make):
    names = ("resnet18", "resnet34", "resnet50")
    pairs = [(a.name, b.name) for a, b in plan(*names).pairs("accuracy")]
    assert pairs == [("resnet18", "resnet34"), ("resnet18", "resnet50"), ("resnet34", "resnet50")]
    against = plan(*names, baseline="resnet34")
    assert [(a.name, b.name) for a, b in against.pairs("accuracy")] == [
        ("resnet34", "resnet18"),
        ("resnet34", "resnet50"),
    ]
    top1 = next(q for q in against.questions["accuracy"] if q.metric == "top1")
    assert against.level(top1) == pytest.approx(1 - 0.05 / 2)


def test_the_error_rate_of_twenty_contenders_is_shared_by_their_190_pairs(plan: Make):
    names = tuple(f"resnet{i}" for i in range(20))
    made = plan(*names)
    assert made.family(Role.PRIMARY) == 190
    top1 = next(q for q in made.questions["accuracy"] if q.metric == "top1")
    assert made.level(top1) == pytest.approx(1 - 0.05 / 190)


def test_a_contender_that_cannot_be_measured_takes_no_share(plan: Make, make_card: Callable[..., ContenderCard]):
    cards = [make_card("a", weights="x"), make_card("b", weights="x"), make_card("c", weights="x", head="other")]
    made = plan("a", "b", "c", cards=cards, studies=("accuracy",))
    assert [(a.name, b.name) for a, b in made.pairs("accuracy")] == [("a", "b")]


def test_another_question_can_be_made_primary_before_the_data_are_seen(plan: Make):
    roles = {q.metric: q.role for q in plan(primary="accuracy.brier").questions["accuracy"]}
    assert roles["brier"] is Role.PRIMARY
    assert [metric for metric, role in roles.items() if role is Role.PRIMARY] == ["brier"]
    assert roles["top1"] is Role.SECONDARY


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"baseline": "resnet35"}, "'resnet35' is not among the contenders (did you mean resnet34"),
        (
            {"primary": "accuracy.top2"},
            "no question 'accuracy.top2' to rest the verdict on (did you mean accuracy.top5 or accuracy.top1",
        ),
        ({"primary": "training.fit_top1"}, "no question 'training.fit_top1'"),
        ({"stop_when_decided": True, "studies": ("training",)}, "needs a primary question of proportions"),
        ({"stop_when_decided": True, "primary": "accuracy.brier"}, "got accuracy.brier"),
        ({"stop_when_decided": True, "repeats": 3}, "one training seed, 3 were asked for"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_work(plan: Make, settings: dict[str, object], said: str):
    with pytest.raises(OptionError) as caught:
        plan(**settings)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "rule", [{"stop_about": "benchmark"}, {"stop_prior": 10}, {"level": 0.9}, {"margins": {"accuracy.top1": 0.05}}]
)
def test_another_stopping_rule_reads_other_images_and_changes_the_key(plan: Make, rule: dict[str, object]):
    keys = {c.key for c in plan(stop_when_decided=True).cells if c.study == "accuracy"}
    assert not keys & {c.key for c in plan().cells}
    assert not keys & {c.key for c in plan(stop_when_decided=True, **rule).cells}


def test_how_images_are_read_is_known_from_the_plan_alone(plan: Make):
    assert reading_of(plan(), "accuracy") is None
    made = plan(stop_when_decided=True, stop_about="benchmark", options={"accuracy": {"images": 300, "batch": 32}})
    assert reading_of(made, "accuracy") == Reading(look=32, seed=0, available=300, prior=50.0, population=400)
    assert reading_of(made, "training") is None


def test_another_recipe_starts_afresh_and_other_options_keep_what_the_run_settled_on(
    plan: Make, make_card: Callable[..., ContenderCard], data_card: DataCard, rates: Callable[..., dict[str, Rates]]
):
    kept = settled_options(plan(options={"training": {"epochs": 3}}))
    cards = [make_card("resnet18"), make_card("resnet34")]

    def again(**options: object) -> dict[str, object]:
        request = make_request(
            {"contenders": ("resnet18", "resnet34"), "studies": ("training",), "options": {"training": options}}
        )
        made = make_plan(request, cards, data_card, rates("resnet18", "resnet34"), "cpu", kept)
        return dict(made.cells[0].options)

    assert (again(rounds=4)["epochs"], again(rounds=4)["rounds"]) == (3, 4)
    other = again(recipe="a3")
    assert (other["recipe"], other["optimizer"]) == ("a3", "lamb")
    assert other["epochs"] != 3


def on_engines(make_card: Callable[..., ContenderCard], engine: str) -> list[ContenderCard]:
    return [make_card("a", weights="x"), make_card("b", weights="x", engine=engine), make_card("c", weights="x")]


@pytest.fixture
def no_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)  # type: ignore[arg-type]  # find_spec then finds nothing


LACKING = "it needs the package 'openvino', which is not installed (pip install 'netversus[openvino]')"


@pytest.mark.parametrize(("engine", "why"), [("openvino", LACKING), ("tensorrt", "it runs on cuda only, not on cpu")])
@pytest.mark.usefixtures("no_openvino")
def test_a_contender_whose_engine_is_missing_is_blocked_in_every_study_and_the_others_are_compared(
    engine: str, why: str, plan: Make, make_card: Callable[..., ContenderCard]
):
    said = f"the engine {engine} cannot run here: {why}"
    made = plan(cards=on_engines(make_card, engine), studies=("structure", "accuracy", "training"))
    for cell in made.cells:
        assert (cell.blocked == said) == (cell.contenders == ("b",))
    for study in ("structure", "accuracy"):
        assert [(a.name, b.name) for a, b in made.pairs(study)] == [("a", "c")]


@pytest.mark.usefixtures("no_openvino")
def test_who_are_measured_together_go_on_without_the_one_whose_engine_is_missing(
    plan: Make, make_card: Callable[..., ContenderCard]
):
    without, both = (plan(cards=on_engines(make_card, engine), studies=("speed",)) for engine in ("openvino", "eager"))
    assert [(cell.contenders, bool(cell.blocked)) for cell in without.cells] == [(("a", "c"), False), (("b",), True)]
    assert [(a.name, b.name) for a, b in without.pairs("speed")] == [("a", "c")]
    assert [cell.contenders for cell in both.cells] == [("a", "b", "c")]


@pytest.mark.usefixtures("no_openvino")
def test_where_nobody_s_engine_is_here_nothing_is_measured_together(
    plan: Make, make_card: Callable[..., ContenderCard]
):
    cards = [make_card(name, weights="x", engine="openvino") for name in "ab"]
    cells = plan("a", "b", cards=cards, studies=("speed",)).cells
    assert [(cell.contenders, bool(cell.blocked)) for cell in cells] == [(("a",), True), (("b",), True)]


def test_before_the_device_is_known_only_packages_are_missed(monkeypatch: pytest.MonkeyPatch):
    assert missing_here("cuda-graph", "auto") == ""
    assert missing_here("cuda-graph", "cpu") == "it runs on cuda only, not on cpu"
    assert missing_here("fused", "cuda:1") == "it runs on cpu only, not on cuda"
    assert [missing_here(name, device) for name in ("auto", "eager") for device in ("auto", "cpu", "cuda:0")] == [
        ""
    ] * 6
    monkeypatch.setitem(sys.modules, "openvino", None)  # type: ignore[arg-type]
    assert "netversus[openvino]" in missing_here("openvino-bf16", "auto")


def test_a_run_that_goes_on_measures_whose_engine_has_come(
    plan: Make, make_card: Callable[..., ContenderCard], monkeypatch: pytest.MonkeyPatch
):
    settings = {"studies": ("speed", "structure"), "budget": 30}
    with monkeypatch.context() as gone:
        gone.setitem(sys.modules, "openvino", None)  # type: ignore[arg-type]
        before = plan(cards=on_engines(make_card, "openvino"), **settings)
        assert with_engines_of_now(before) is before
    after = with_engines_of_now(before)
    assert not any(cell.blocked for cell in after.cells)
    assert ("a", "b", "c") in {cell.contenders for cell in after.cells}
    kept = {cell.key for cell in before.cells if cell.contenders in (("a",), ("b",), ("c",)) and cell.study != "speed"}
    assert kept < {cell.key for cell in after.cells}
    assert after.cuts == before.cuts
    assert with_engines_of_now(after) is after


def test_an_engine_that_has_gone_leaves_the_plan_of_a_run_alone(
    plan: Make, make_card: Callable[..., ContenderCard], monkeypatch: pytest.MonkeyPatch
):
    before = plan(cards=on_engines(make_card, "openvino"), studies=("structure",))
    monkeypatch.setitem(sys.modules, "openvino", None)  # type: ignore[arg-type]
    assert with_engines_of_now(before) is before


def test_auto_chooses_on_trained_weights_so_what_needs_none_comes_last(
    plan: Make, make_card: Callable[..., ContenderCard]
):
    studies = ("speed", "accuracy", "training")

    def order(**changes: object) -> list[str]:
        cards = [make_card("a", **changes), make_card("b")]
        return list(dict.fromkeys(cell.study for cell in plan("a", "b", cards=cards, studies=studies).cells))

    assert order(engine="auto") == ["training", "accuracy", "speed"]
    assert order(engine="auto", weights="x").index("speed") < 2
    assert order().index("speed") < 2
