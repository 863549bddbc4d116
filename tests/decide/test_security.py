"""The security test: each way to stand to a threat, thresholds of one's own, and attacks that vouch for nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from netversus.decide.conditions import parse_conditions
from netversus.decide.gate import State, judge
from netversus.decide.measuring import security_request
from netversus.decide.security import (
    Cause,
    SecurityVerdict,
    Stand,
    Standing,
    refuse_untested,
    security_verdict,
    security_verdicts,
)
from netversus.decide.strength import NEEDED, shortened
from netversus.decide.subject import Subject
from netversus.decide.threats import RULES, STUDIES
from netversus.errors import OptionError, SpecError
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.rates import nominal_rates
from netversus.plan import make_plan
from netversus.records import Artifact, Done, Failed, Skipped
from netversus.report import gate_files
from netversus.report.security_section import advice, document, security_exhibits, sentence, threat
from netversus.studies import find_studies
from netversus.studies.adversarial.protocol import CHECKS, PROTOCOL, protocol

N = 100
GOOD = {"robust_top1": 1.0, "corrupted_top1": 1.0, "attack_success": 0.0, "told": 0.5, "refused": 0, "unscanned": 0}
BAD = {"robust_top1": 0.0, "corrupted_top1": 0.0, "attack_success": 1.0, "told": 1.0, "refused": 1, "unscanned": 1}
CALM = {
    "images": 8,
    "right_by_steps": [0, 0, 0],
    "zero_share": 0.0,
    "probabilities": False,
    **dict.fromkeys(
        ("changed_at_zero", "lost_by_larger", "right_at_large", "no_gradient", "loss_stuck", "random_outputs"), 0
    ),
}


def observe(made, name: str, seen: dict[str, float], studies: Sequence[str] = STUDIES) -> None:
    """A contender that shows the same on nearly every unit."""
    if "artifact" in studies:
        for metric in ("refused", "unscanned"):
            made.observe("artifact", name, metric, [seen[metric]], ["contender"])
    for study, metric in (("adversarial", "robust_top1"), ("corruption", "corrupted_top1")):
        if study in studies:
            made.observe(study, name, metric, [seen[metric]] * N)
    if "poisoning" in studies:
        made.observe("poisoning", name, "attack_success", [seen["attack_success"]] * N)
    if "privacy" in studies:
        members = [i % 2 for i in range(4 * N)]
        scores = [m * (seen["told"] > 0.5) + (i // 2 % 7) / 10 for i, m in enumerate(members)]
        made.observe("privacy", name, "membership_lira", scores)
        made.observe("privacy", name, "outlier", members)


def tell(made, name: str, *, square_alone: int = 0, seed: int = 0) -> None:
    """What the adversarial study keeps of its attacks."""
    cell = made.cell("adversarial", name, seed)
    settings = protocol(find_studies()["adversarial"].options(**cell.options), 32)
    facts = json.dumps({**CALM, "square_alone": square_alone}).encode()
    made.store.cell(cell).add_artifact(Artifact(PROTOCOL, settings.dumped(), name))
    made.store.cell(cell).add_artifact(Artifact(CHECKS, facts, name))


def run_of(make, good: dict[str, float], studies: Sequence[str] = STUDIES, **settings: object):
    made = make(studies=tuple(studies), **settings)
    for name, seen in (("old", BAD), ("new", good)):
        observe(made, name, seen, studies)
        if "adversarial" in studies:
            tell(made, name)
    return made.end()


def verdict_of(made, thresholds: dict[str, str] | None = None, contender: str = "new") -> SecurityVerdict:
    return security_verdict(Subject(made.store, made.plan, contender, contender, 0.95, thresholds or {}))


def stands(verdict: SecurityVerdict) -> dict[str, Stand]:
    return {stand.name: stand for stand in verdict.stands}


def test_who_stands_up_to_every_threat_passes_and_who_to_none_fails(make):
    made = run_of(make, GOOD)
    good, bad = verdict_of(made), verdict_of(made, contender="old")
    assert {stand.standing for stand in good.stands} == {Standing.PASS}
    assert (good.standing, good.exit_code) == (Standing.PASS, 0)
    assert {name: stand.standing.value for name, stand in stands(bad).items()} == {
        **dict.fromkeys(("file", "evasion", "corruption", "poisoning", "privacy"), "fail"), "unscanned": "undecided",
    }  # fmt: skip
    assert (bad.standing, bad.exit_code) == (Standing.FAIL, 3)
    assert stands(good)["evasion"].within == "8/255 (l-inf)"


@pytest.mark.parametrize("name", [rule.name for rule in RULES if rule.refutes])
def test_one_threat_that_is_failed_fails_the_whole(make, name: str):
    metric = {"file": "refused", "evasion": "robust_top1", "corruption": "corrupted_top1"}.get(name, "")
    metric = metric or {"poisoning": "attack_success", "privacy": "told"}[name]
    verdict = verdict_of(run_of(make, {**GOOD, metric: BAD[metric]}))
    assert [stand.name for stand in verdict.of(Standing.FAIL)] == [name]
    assert verdict.exit_code == 3


def test_what_no_scan_can_read_is_undecided_and_neither_passed_nor_failed(make):
    verdict = verdict_of(run_of(make, {**GOOD, "unscanned": 1}))
    assert (verdict.standing, verdict.exit_code) == (Standing.UNDECIDED, 4)
    assert stands(verdict)["unscanned"].cause is Cause.UNREAD
    assert {stand.judged.state for stand in verdict.of(Standing.UNDECIDED)} == {State.UNDECIDED}


def test_a_threshold_within_the_interval_is_undecided(make):
    made = run_of(make, GOOD)
    low = stands(verdict_of(made))["evasion"].judged.low
    assert 0.9 < low < 1
    over = {"evasion": f"adversarial.robust_top1.value >= {low + 1e-6!r}"}
    assert stands(verdict_of(made, over))["evasion"].cause is Cause.WITHIN
    assert (
        stands(verdict_of(made, {"evasion": f"adversarial.robust_top1.value >= {low!r}"}))["evasion"].standing == "pass"
    )


def test_what_is_not_in_the_run_is_not_tested_and_no_pass(make):
    verdict = verdict_of(run_of(make, GOOD, ("artifact", "corruption")))
    assert {stand.name for stand in verdict.of(Standing.UNTESTED)} == {"evasion", "poisoning", "privacy"}
    assert {stand.cause for stand in verdict.of(Standing.UNTESTED)} == {Cause.ABSENT}
    assert (verdict.standing, verdict.exit_code) == (Standing.UNDECIDED, 4)


def test_a_run_without_a_security_study_has_no_verdict(two):
    assert security_verdicts(two.store, two.plan, 0.95) == ()
    with pytest.raises(OptionError, match="needs a security study"):
        refuse_untested(two.plan)


@pytest.mark.parametrize(
    ("ending", "cause", "code"),
    [("failed", Cause.FAILED, 5), ("skipped", Cause.SKIPPED, 4), ("", Cause.UNFINISHED, 5)],
)
def test_a_study_that_did_not_end_well_leaves_its_threat_untested(make, ending: str, cause: Cause, code: int):
    made = make(studies=("artifact", "corruption"))
    for name in ("old", "new"):
        observe(made, name, GOOD, ("artifact", "corruption"))
    made.end("artifact")
    for cell in made.plan.cells:
        if cell.study == "corruption" and ending:
            ended = Failed(cell.key, "out of memory") if ending == "failed" else Skipped(cell.key, "no test split")
            made.store.cell(cell).end(ended)
    stand = stands(verdict_of(made))["corruption"]
    assert (stand.standing, stand.cause) == (Standing.UNTESTED, cause)
    assert stand.details == {"failed": ("out of memory",), "skipped": ("no test split",), "": ()}[ending]
    assert verdict_of(made).exit_code == code


SHORTER = [
    *({"steps": 10}, {"queries": 50}, {"targets": 2}, {"checks": 1}),
    *({"attacks": "fgsm,pgd"}, {"attacks": "apgd-ce,apgd-t,fab-t"}),
]


@pytest.mark.parametrize("options", SHORTER, ids=str)
def test_a_shorter_attack_vouches_for_nobody_and_still_refutes(make, options: dict[str, object]):
    made = run_of(make, GOOD, ("adversarial",), options={"adversarial": options})
    held = stands(verdict_of(made))["evasion"]
    assert (held.standing, held.cause) == (Standing.UNDECIDED, Cause.SHORT)
    assert held.details
    assert stands(verdict_of(made, contender="old"))["evasion"].standing is Standing.FAIL


def test_the_standard_attack_is_whole_without_those_that_it_holds(make):
    attacks = {"adversarial": {"attacks": ",".join(NEEDED["adversarial"])}}
    made = run_of(make, GOOD, ("adversarial",), options=attacks)
    assert stands(verdict_of(made))["evasion"].standing is Standing.PASS


def test_of_a_few_classes_no_more_targets_are_asked_than_there_are(make):
    made = run_of(make, GOOD, ("adversarial",), options={"adversarial": {"targets": 3}})
    few = replace(made.plan, data=replace(made.plan.data, classes=("a", "b", "c", "d")))
    assert shortened(made.store, made.plan, "adversarial") == ("targets 3 < 9",)
    assert shortened(made.store, few, "adversarial") == ()


def test_an_attack_that_shows_signs_of_having_failed_vouches_for_nobody(make):
    made = make(studies=("adversarial",))
    for name in ("old", "new"):
        observe(made, name, GOOD, ("adversarial",))
        tell(made, name, square_alone=2)
    held = stands(verdict_of(made.end()))["evasion"]
    assert (held.standing, held.cause) == (Standing.UNDECIDED, Cause.DOUBTED)
    assert "Square turns what APGD does not" in advice(held)


@pytest.mark.parametrize("struck", [{}, {0: 2}, {1: 2}, {1: 2, 2: 2}, {0: 2, 1: 3}], ids=str)
def test_signs_of_a_failed_attack_are_looked_for_with_every_training_seed(make, struck: dict[int, int]):
    names = ("old@scratch", "new@scratch")
    made = make(*names, studies=("training", "adversarial"), repeats=3)
    for name in names:
        for seed in range(3):
            made.observe("adversarial", name, "robust_top1", [float(i % 25 > 0) for i in range(N)], seed=seed)
            tell(made, name, square_alone=struck.get(seed, 0), seed=seed)
    held = stands(verdict_of(made.end(), contender="new@scratch"))["evasion"]
    assert held.cause is (Cause.DOUBTED if struck else Cause.NONE)
    told = "".join(held.details)
    assert told.count("is too good") == (1 if struck else 0)  # the same signs twice are said once


@pytest.mark.parametrize(
    ("study", "name", "options"),
    [("poisoning", "poisoning", {"rates": "0.001"}), ("poisoning", "poisoning", {"attacks": "badnets"}),
     ("privacy", "privacy", {"shadows": 2})],
)  # fmt: skip
def test_a_training_that_was_attacked_less_is_undecided(make, study: str, name: str, options: dict[str, object]):
    made = run_of(make, GOOD, (study,), options={study: options})
    assert stands(verdict_of(made))[name].cause is Cause.SHORT


def test_what_a_budget_cut_of_a_training_is_told(make):
    made = run_of(make, GOOD, ("privacy",), budget=1.0)
    held = stands(verdict_of(made))["privacy"]
    assert held.cause is Cause.SHORT
    assert any(line in made.plan.cuts for line in held.details)


def test_a_threat_can_be_accepted_untested_and_is_said_to_be(make):
    made = run_of(make, GOOD, ("artifact", "adversarial", "corruption"))
    verdict = verdict_of(made, {"poisoning": "accepted", "privacy": " accepted "})
    assert verdict.standing is Standing.PASS
    assert "Accepted without a test" in sentence(verdict)
    assert len(verdict.as_gate().judged) == 4
    nothing = {rule.name: "accepted" for rule in RULES}
    assert verdict_of(made, nothing).standing is Standing.UNDECIDED  # nobody passes by accepting everything


@pytest.mark.parametrize(
    ("thresholds", "told"),
    [
        ({"evasoin": "accepted"}, "did you mean evasion"),
        ({"evasion": "corruption.corrupted_top1.value >= 0.1"}, "in the study adversarial"),
        ({"evasion": "adversarial.robust_top1.delta >= 0"}, "own level"),
        ({"evasion": "security.verdict == pass"}, "own level"),
        ({"privacy": "privacy.member_auroc.value <= 600%"}, ""),
        ({"privacy": "privacy.nothing.value <= 1"}, "has no metric"),
        ({"privacy": "never"}, "expected"),
    ],
)
def test_a_wrong_threshold_gets_one_line_also_where_its_study_is_not_in_the_run(make, thresholds, told: str):
    made = run_of(make, GOOD, ("artifact",))
    if not told:
        assert verdict_of(made, thresholds).standing is Standing.UNDECIDED  # an area has no bound to refuse it by
        return
    with pytest.raises(OptionError, match=told):
        verdict_of(made, thresholds)


def test_failing_shares_the_error_rate_among_the_threats_that_were_asked(make):
    assert verdict_of(run_of(make, GOOD)).failing_level == pytest.approx(1 - 0.05 / 4)  # two are counted, not estimated


def test_within_a_gate_the_threats_share_what_the_gate_leaves_the_verdict(make):
    """37 of 100 are under a half at 1 - 0.05 / 4 (the binomial's tail is 0.0060), and not at half of that error."""
    studies = (*STUDIES, "accuracy")
    made = make(studies=studies)
    for name in ("old", "new"):
        observe(made, name, GOOD, tuple(study for study in STUDIES if study != "adversarial"))
        made.observe("adversarial", name, "robust_top1", [1.0] * 37 + [0.0] * 63)
        made.observe("accuracy", name, "top1", [1.0] * N)
        tell(made, name)
    made.end()
    assert verdict_of(made).failing_level == pytest.approx(1 - 0.05 / 4)
    assert stands(verdict_of(made))["evasion"].standing is Standing.FAIL
    texts = ["accuracy.top1.delta >= -0.005", "security.verdict == pass"]
    alone, joint = (judge(made.subject(), parse_conditions(part, made.plan)) for part in (texts[1:], texts))
    assert alone.judged[0].state is State.FAILED
    assert joint.judged[1].state is State.UNDECIDED


@pytest.mark.parametrize("others", [0, 1, 9])
def test_however_many_conditions_a_gate_has_it_fails_wrongly_at_most_1_time_in_40(make, monkeypatch, others: int):
    """By the union bound over all that can fail by chance, the threats within the verdict among them: half of each
    interval's error is at the end that fails."""
    made = run_of(make, GOOD, (*STUDIES, "accuracy"))
    verdicts = []
    asked = security_verdict
    monkeypatch.setattr(
        "netversus.decide.security.security_verdict", lambda s: verdicts.append(asked(s)) or verdicts[-1]
    )
    texts = [f"accuracy.top1.delta >= -0.{i + 1}" for i in range(others)]
    whole = judge(made.subject(), parse_conditions([*texts, "security.verdict == pass"], made.plan))
    (verdict,) = verdicts
    chancy = 4  # of the six threats two are counted
    errors = others * (1 - whole.failing_level) + chancy * (1 - verdict.failing_level)
    assert errors / 2 == pytest.approx(1 / 40)
    assert verdict.level == 0.95  # to pass, nothing is shared: every threat has to be passed


def test_the_verdict_is_a_condition_of_a_gate_with_the_same_thresholds(make):
    made = run_of(make, {**GOOD, "robust_top1": 0.0})
    wanted = parse_conditions(["security.verdict == pass"], made.plan)
    (judged,) = judge(made.subject(), wanted).judged
    assert judged.state is State.FAILED
    assert "evasion fail" in judged.reason
    subject = Subject(made.store, made.plan, "new", "old", 0.95, {"evasion": "accepted"})
    assert judge(subject, wanted).judged[0].state is State.MET


def test_junit_has_a_suite_a_contender_and_a_case_a_threat(make):
    made = run_of(make, {**GOOD, "unscanned": 1}, ("artifact", "corruption"))
    verdicts = security_verdicts(made.store, made.plan, 0.95)
    suites = list(ET.fromstring(gate_files.junit(*(verdict.as_gate() for verdict in verdicts))))
    assert [suite.get("name") for suite in suites] == ["security test of old", "security test of new"]
    assert [suite.get("id") for suite in suites] == ["0", "1"]
    counts = [[suite.get(name) for name in ("tests", "failures", "errors")] for suite in suites]
    assert counts == [["6", "2", "4"], ["6", "0", "4"]]


# In words


def every_stand(make) -> list[Stand]:
    made = run_of(make, GOOD, ("artifact", "adversarial"), options={"adversarial": {"steps": 10}})
    return [stand for name in ("old", "new") for stand in verdict_of(made, {"privacy": "accepted"}, name).stands]


def test_who_does_not_pass_is_told_what_to_do_and_who_passes_is_not(make):
    found = every_stand(make)
    assert {stand.standing for stand in found} == set(Standing)
    for stand in found:
        assert bool(advice(stand)) == (stand.standing not in (Standing.PASS, Standing.ACCEPTED)), stand.name


def test_every_cause_has_its_advice():
    from netversus.report.security_section import _FAILED, _UNDECIDED, _UNTESTED

    assert {*_UNDECIDED, *_UNTESTED, Cause.NONE} == set(Cause)
    assert set(_FAILED) == {rule.name for rule in RULES if rule.refutes}


def test_a_verdict_names_every_threat_of_which_it_speaks(make):
    made = run_of(make, {**GOOD, "robust_top1": 0.0}, ("artifact", "adversarial"))
    for name in ("old", "new"):
        verdict = verdict_of(made, contender=name)
        said = sentence(verdict)
        assert all(threat(stand) in said for stand in verdict.stands)
        assert "at most 8/255 (l-inf)" in said
        assert "secure" not in said


def test_the_section_shows_a_row_a_contender_and_threat(make):
    made = run_of(make, GOOD)
    *texts, standings, threats = security_exhibits(security_verdicts(made.store, made.plan, 0.95))
    assert len(texts) == 2
    assert len(standings.rows) == 2 * len(RULES)
    assert len(threats.rows) == len(RULES)
    assert standings.rows[8][3].startswith("100.0 % [96.4 %, 100.0 %], 100 images")  # Clopper and Pearson, 100 of 100
    assert security_exhibits(()) == ()


def test_the_document_holds_what_the_table_shows(make):
    made = run_of(make, {**GOOD, "corrupted_top1": 0.0})
    told = json.loads(json.dumps(document(security_verdicts(made.store, made.plan, 0.95)), allow_nan=False))
    new = told["contenders"][1]
    assert (new["verdict"], new["exit_code"]) == ("fail", 3)
    row = next(row for row in new["threats"] if row["threat"] == "corruption")
    assert (row["verdict"], row["threshold"], row["estimate"]) == ("fail", 0.5, 0.0)


# What is measured


def test_nobody_s_training_is_tampered_with_where_nobody_is_trained():
    trained = security_request(None, ["resnet50", "resnet101"], "digits")
    assert trained.studies == ("artifact", "adversarial", "corruption")
    scratch = security_request(None, ["resnet50@scratch", "resnet101"], "digits", "10m")
    assert set(scratch.studies) == {"training", *STUDIES}
    assert scratch.budget == 600.0


def test_a_run_that_is_there_keeps_what_it_asked(make):
    made = make(studies=("speed", "corruption"), options={"corruption": {"images": 50}})
    request = security_request(made.plan, options={"corruption": {"batch": 8}, "adversarial": {"steps": 20}})
    assert request.contenders == ("old", "new")
    assert set(request.studies) == {"speed", "corruption", "artifact", "adversarial"}
    assert request.options == {"corruption": {"images": 50, "batch": 8}, "adversarial": {"steps": 20}}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((None,), "no contender to test"),
        ((None, ["resnet50"]), "side by side"),
        ((None, ["resnet50", "resnet101"], "", "soon"), "budget"),
        ((None, ["resnet50", "resnet101"], "", "", {"poisoning": {"rates": "0.1"}}), "does not measure"),
    ],
)
def test_what_cannot_be_measured_gets_one_line(arguments, told: str):
    with pytest.raises(OptionError, match=told):
        security_request(*arguments)
    with pytest.raises(SpecError):
        security_request(None, ["", "resnet50"])


def test_the_plan_keeps_the_budget():
    """By its own reckoning; on no clock."""
    data = open_data("scenes?size=16&train=300&test=120").card
    names = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
    cards = [resolve(name, data) for name in names]
    whole = make_plan(security_request(None, names, data.spec), cards, data, nominal_rates(cards), "cpu")
    budget = whole.cost.seconds / 3
    request = security_request(None, names, data.spec, f"{budget:.3f}s")
    plan = make_plan(request, cards, data, nominal_rates(cards), "cpu")
    assert plan.cost.seconds <= 1.01 * budget
    assert plan.cuts
    assert set(plan.questions) == {"training", *STUDIES}


def test_a_done_cell_is_all_that_vouches(make):
    """A cell whose observations are whole but which did not end is no evidence."""
    made = make(studies=("artifact",))
    observe(made, "new", GOOD, ("artifact",))
    assert stands(verdict_of(made))["file"].cause is Cause.UNFINISHED
    for cell in made.plan.cells:
        made.store.cell(cell).end(Done(cell.key, 1.0, 1))
    assert stands(verdict_of(made))["file"].standing is Standing.PASS


def test_the_documentation_names_each_threat_with_its_limit(repository):
    told = (repository / "docs" / "security.md").read_text(encoding="utf-8")
    for rule in RULES:
        assert f"| `{rule.name}` |" in told
        assert f"| `{rule.condition}` |" in told
