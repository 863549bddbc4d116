"""Conditions on a whole study, such as "security.verdict == pass": which there are, and who answers them.

To add one, write a function that takes a `Subject` and gives an `Answer`, and name it in `VERDICTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netversus.decide.subject import Answer, Subject

PASS, FAIL = "pass", "fail"
WORDS = (PASS, FAIL)
"""What a verdict on a whole study can be compared with."""


def _security(subject: Subject) -> Answer:
    from netversus.decide.security import security  # it judges conditions, and those know of this table

    return security(subject)


VERDICTS: Mapping[str, Callable[[Subject], Answer]] = {"security": _security}
"""The word before ".verdict" -> the function that answers."""
