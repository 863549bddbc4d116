"""The question or the contender of a run that a user names; a misspelt name gets the nearest known ones."""

from __future__ import annotations

from collections.abc import Sequence

from netversus.errors import OptionError, nearest
from netversus.plan import Plan
from netversus.records import Question
from netversus.statistics.estimators import WITHOUT_INTERVAL
from netversus.studies import find_studies


def find_question(plan: Plan, study: str, metric: str) -> Question:
    """The question of the run that is called "study.metric".

    Raises:
        OptionError: the run does not ask it.
    """
    if study not in plan.questions:
        raise OptionError(f"there is no study {study!r} in this run", hint=_hint_study(plan, study))
    questions = {q.metric: q for q in plan.questions[study]}
    if metric not in questions:
        hint = nearest(metric, questions) or f"it measures {', '.join(questions)}"
        raise OptionError(f"the study {study} has no metric {metric!r}", hint=hint)
    return questions[metric]


def find_limited(plan: Plan, study: str, metric: str) -> Question:
    """The same question where a limit is put on it. A number that has no interval whatever is measured can take none:
    nothing could ever show that it is kept.

    Raises:
        OptionError: the run does not ask it, or it is such a one.
    """
    question = find_question(plan, study, metric)
    if question.estimator in WITHOUT_INTERVAL:
        judged = (q.metric for q in plan.questions[study] if q.judged and q.inputs == question.inputs)
        instead = next((f"{study}.{name} is judged" for name in judged), "")
        why = "its bias depends on the number of units, so that it has no interval"
        raise OptionError(f"{study}.{metric} is only described: {why}", hint=instead)
    return question


def _hint_study(plan: Plan, study: str) -> str:
    held = ", ".join(plan.questions)
    if study in find_studies():
        return f"it holds {held}; measure it with: netversus compare --study {study} --out naming this run"
    return nearest(study, plan.questions) or f"it holds {held}"


def find_contender(plan: Plan, text: str, what: str) -> str:
    """The name of the contender that is called `text`: by its name, its spec, or as it was asked for.

    Raises:
        OptionError: there is none.
    """
    known = {word: card.name for card in plan.contenders for word in (card.spec, card.name)}
    for word, card in zip(plan.request.contenders, plan.contenders, strict=False):
        known[word] = card.name
    if text not in known:
        hint = nearest(text, known) or f"one of {', '.join(card.name for card in plan.contenders)}"
        raise OptionError(f"the {what} {text!r} is not among the contenders of this run", hint=hint)
    return known[text]


def find_sides(plan: Plan, candidate: str, baseline: str) -> tuple[str, str]:
    """The names of the candidate and of the baseline. Of two contenders the run's baseline, or the first one, is the
    baseline and the other the candidate, as far as they are not named.

    Raises:
        OptionError: one is not in the run, both are the same, or it cannot be told which is meant.
    """
    names = [card.name for card in plan.contenders]
    old = find_contender(plan, baseline, "baseline") if baseline else ""
    new = find_contender(plan, candidate, "candidate") if candidate else ""
    if not old and plan.baseline != new:
        old = plan.baseline
    if len(names) == 2:
        old = old or next(name for name in names if name != new)
        new = new or next(name for name in names if name != old)
    _refuse_unclear(names, new, old)
    return new, old


def _refuse_unclear(names: Sequence[str], candidate: str, baseline: str) -> None:
    for name, flag in ((candidate, "--candidate"), (baseline, "--baseline")):
        if not name:
            raise OptionError(f"this run holds {len(names)} contenders: name one with {flag}", hint=", ".join(names))
    if candidate == baseline:
        raise OptionError(f"{candidate} is both the candidate and the baseline", hint="name two different contenders")
