"""What the pre-deployment test has to measure: a request for the security studies, and the training that they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netversus.decide.threats import STUDIES
from netversus.errors import OptionError
from netversus.lab.contenders.spec import parse
from netversus.plan import Plan
from netversus.request import Request, make_request
from netversus.studies import find_studies
from netversus.study import Need

TRAINING = "training"


def security_request(
    plan: Plan | None,
    contenders: Sequence[str] = (),
    data: str = "",
    budget: str = "",
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Request:
    """The request that measures every threat which these contenders allow, within the budget ("90s", "10m").

    `plan` is that of the run which is added to: what it asked is asked again, so that all it holds stays in the report,
    and what it measured is not measured again. Its contenders and data stand where none are named.

    Raises:
        OptionError: no contenders are named and the run has none, or a setting does not fit.
        SpecError: a contender's spec cannot be understood.
    """
    known = {} if plan is None else plan.request.model_dump(exclude={"budget"})
    named = tuple(contenders) or known.get("contenders", ())
    _refuse_few(named)
    studies = dict.fromkeys([*(plan.questions if plan else ()), *_studies(named)])
    settled = known.get("options", {})
    asked = {study: {**settled.get(study, {}), **dict((options or {}).get(study, {}))} for study in studies}
    _refuse_unmeasured(options or {}, studies)
    values = {**known, "contenders": named, "studies": tuple(studies), "options": {s: o for s, o in asked.items() if o}}
    if data:
        values["data"] = data
    if budget:
        values["budget"] = budget
    return make_request(values)


def _studies(contenders: Sequence[str]) -> list[str]:
    """The security studies that can ask something of these contenders: without one that is trained here from scratch,
    nobody's training data can be tampered with, and a budget is not shared with a study that measures nothing."""
    scratch = any(parse(text).scratch for text in contenders)
    known = find_studies()
    fits = [name for name in STUDIES if name in known and (scratch or Need.SCRATCH_WEIGHTS not in known[name].needs)]
    return [TRAINING, *fits] if scratch else fits


def _refuse_few(contenders: Sequence[str]) -> None:
    if not contenders:
        raise OptionError("there is no run yet, and no contender to test", hint="name two with --contender SPEC")
    if len(contenders) == 1:
        raise OptionError(
            f"contenders are tested side by side, and only {contenders[0]} is named",
            hint="name one that is known beside it, such as --contender resnet50",
        )


def _refuse_unmeasured(options: Mapping[str, Any], studies: Mapping[str, None]) -> None:
    for study in options:
        if study not in studies:
            raise OptionError(
                f"options for the study {study!r}, which this test does not measure", hint=f"it is {', '.join(studies)}"
            )
