"""security.verdict: whether the candidate passes what the run's security studies asked of it."""

from __future__ import annotations

from netversus.decide.subject import Answer, Subject
from netversus.errors import OptionError

STUDIES = ("adversarial", "corruption", "poisoning", "artifact")
"""The studies that ask about security."""


def security(subject: Subject) -> Answer:
    """The answer of the run's security studies.

    Raises:
        OptionError: none of them is in the run, or none can answer for the whole.
    """
    held = [study for study in STUDIES if study in subject.plan.questions]
    if not held:
        raise OptionError(
            f"security.verdict needs a security study, and this run holds {', '.join(subject.plan.questions)}",
            hint=f"measure one of {', '.join(STUDIES)}",
        )
    raise OptionError(
        f"no rule says yet when {', '.join(held)} together pass", hint="name conditions on their metrics instead"
    )
