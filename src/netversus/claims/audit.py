"""Claims, findings and published figures -> judgements.

The measured and the published evidence are judged apart. Neither outweighs the other: where one supports a claim and
the other contradicts it, the claim is undecided, and both are shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from netversus.claims.cited import cited_evidence, taken_together
from netversus.claims.measured import Measured, measured_evidence
from netversus.claims.records import DECIDED, Claim, ClaimVerdict, Evidence, Figure, Half, Judgement
from netversus.errors import OptionError, nearest

_ABSENT = Half(None)


def audit(claims: Iterable[Claim], measured: Measured, published: Sequence[Figure]) -> tuple[Judgement, ...]:
    """A judgement of each claim, in their order.

    Raises:
        OptionError: a claim asks for a comparison that its question does not allow, or for a figure that nobody cites.
    """
    return tuple(_judgement(claim, measured, published) for claim in claims)


def refuse_unknown_questions(claims: Iterable[Claim], known: Collection[str]) -> None:
    """Refuse a claim that is bound to a question that nobody asks: it would be "not measured here" for ever.

    Raises:
        OptionError: the question is not among `known` ("study.metric").
    """
    for claim in claims:
        for binding in claim.bindings:
            if binding.measured and binding.question not in known:
                hint = nearest(binding.question, known) or "netversus list studies tells what is measured"
                raise OptionError(f"claim {claim.id!r}: no study asks {binding.question!r}", hint=hint)


def _judgement(claim: Claim, measured: Measured, published: Sequence[Figure]) -> Judgement:
    if claim.not_checkable:
        return Judgement(claim, ClaimVerdict.NOT_CHECKABLE, _ABSENT, _ABSENT)
    here, cited = _measured_half(claim, measured), _published_half(claim, published)
    return Judgement(claim, _overall(here, cited), here, cited)


def _measured_half(claim: Claim, measured: Measured) -> Half:
    """What the run says. A binding's findings have to agree; a claim holds if all its deciding bindings do."""
    bindings = [binding for binding in claim.bindings if binding.measured]
    if not bindings:
        return _ABSENT
    found = [(binding, tuple(measured_evidence(claim, binding, measured))) for binding in bindings]
    deciding = [_agreed(evidence) for binding, evidence in found if not binding.shown_because]
    return Half(
        verdict=_all_of(deciding),
        evidence=tuple(each for _, evidence in found for each in evidence),
        missing=tuple(dict.fromkeys(binding.question for binding, evidence in found if not evidence)),
    )


def _agreed(evidence: Sequence[Evidence]) -> ClaimVerdict:
    """What the findings on one binding say: several pairs of contenders that a claim means have to agree."""
    said = {each.verdict for each in evidence if each.decides} - {ClaimVerdict.NOT_MEASURED}
    if not said:
        return ClaimVerdict.NOT_MEASURED
    return said.pop() if len(said) == 1 else ClaimVerdict.UNDECIDED


def _published_half(claim: Claim, published: Sequence[Figure]) -> Half:
    bindings = [binding for binding in claim.bindings if not binding.measured]
    if not bindings:
        return _ABSENT
    found = [(binding, cited_evidence(claim, binding, published)) for binding in bindings]
    deciding = [taken_together(binding, evidence) for binding, evidence in found if not binding.shown_because]
    return Half(
        verdict=_all_of(deciding) if deciding else None,
        evidence=tuple(each for _, evidence in found for each in evidence),
    )


def _all_of(verdicts: Collection[ClaimVerdict]) -> ClaimVerdict:
    """A claim of several parts: one part that is wrong makes it wrong, and it is right only if every part is."""
    for verdict in (ClaimVerdict.CONTRADICTED, ClaimVerdict.UNDECIDED, ClaimVerdict.NOT_MEASURED):
        if verdict in verdicts:
            return verdict
    return ClaimVerdict.SUPPORTED if verdicts else ClaimVerdict.NOT_MEASURED


def _overall(*halves: Half) -> ClaimVerdict:
    said = {half.verdict for half in halves}
    decided = [verdict for verdict in DECIDED if verdict in said]
    if len(decided) == 1:
        return decided[0]
    if decided or ClaimVerdict.UNDECIDED in said:
        return ClaimVerdict.UNDECIDED
    return ClaimVerdict.NOT_MEASURED
