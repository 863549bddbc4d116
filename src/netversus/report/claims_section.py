"""The audit of claims as exhibits, so that HTML and Markdown show the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from netversus.claims import ClaimVerdict, Evidence, Judgement, Measured, article, audit, published_figures
from netversus.claims.words import (
    NOTHING,
    citation_text,
    claim_text,
    claimed_text,
    compared_text,
    estimate_text,
    printed_text,
    range_text,
    rests_on_text,
    rule_text,
    verdict_text,
    weight_text,
    why,
)
from netversus.exhibits import Exhibit, Table, Text
from netversus.messages import clauses, in_a_row, say, sentences
from netversus.records import DataCard, Finding


def claims_exhibits(findings: Sequence[Finding], data: DataCard, level: float = 0.95) -> tuple[Exhibit, ...]:
    """The built-in article's claims, held against a run; nothing where none of them is about the run's contenders.

    `level` is the run's confidence level.
    """
    judgements = claims_judged(findings, data, level)
    return judgement_exhibits(judgements) if judgements else ()


def claims_judged(findings: Sequence[Finding], data: DataCard, level: float = 0.95) -> tuple[Judgement, ...]:
    """What comes of each of the built-in article's claims; nothing where none of them is about the run's contenders."""
    judgements = audit(article(), Measured(tuple(findings), data, level=level), published_figures())
    return tuple(judgements) if any(judgement.measured.evidence for judgement in judgements) else ()


def judgement_exhibits(judgements: Sequence[Judgement]) -> tuple[Exhibit, ...]:
    """Judgements as a text and up to four tables: what came of each claim, what the run says, what is published, and
    how the claims were read."""
    return (
        Text(summary_text(judgements)),
        _verdicts(judgements),
        *_measured(judgements),
        *_published(judgements),
        *_readings(judgements),
    )


def summary_text(judgements: Sequence[Judgement]) -> str:
    """How many claims came to what, and what that rests on."""
    counts = Counter(judgement.verdict for judgement in judgements)
    each = in_a_row(
        say("{n} {verdict}", n=counts[verdict], verdict=verdict_text(verdict))
        for verdict in ClaimVerdict
        if counts[verdict]
    )
    return sentences(
        say("Of {n} claims: {each}.", n=len(judgements), each=each),
        say(
            "A claim is judged on the whole interval: supported where all of it lies where the claim says, "
            "contradicted where none of it does. What the run measured speaks of its own contenders and data only; "
            "a claim about other data is not decided by it. Published figures are judged apart, with a stated "
            "tolerance."
        ),
    )


def caveats_text(judgements: Sequence[Judgement]) -> str:
    """What has to be known before the measured evidence is believed, each thing once."""
    every = [caveat for judgement in judgements for each in judgement.measured.evidence for caveat in each.caveats]
    if not every:
        return ""
    return sentences(say("Before believing what was measured:"), clauses(dict.fromkeys(every)))


def _verdicts(judgements: Sequence[Judgement]) -> Table:
    return Table(
        title=say("What came of each claim"),
        columns=(say("claim"), say("what it says"), say("verdict"), say("here"), say("published"), say("why")),
        rows=tuple(
            (
                judgement.claim.id,
                claim_text(judgement.claim),
                verdict_text(judgement.verdict),
                verdict_text(judgement.measured.verdict),
                verdict_text(judgement.published.verdict),
                why(judgement),
            )
            for judgement in judgements
        ),
    )


def _measured(judgements: Sequence[Judgement]) -> Iterator[Table]:
    rows = tuple(
        (
            judgement.claim.id,
            each.binding.question,
            compared_text(each),
            claimed_text(each),
            estimate_text(each),
            range_text(each),
            rests_on_text(each),
            weight_text(each),
        )
        for judgement in judgements
        for each in judgement.measured.evidence
    )
    if rows:
        yield Table(
            title=say("What was measured here"),
            columns=(
                *(say("claim"), say("question"), say("number"), say("claimed"), say("measured"), say("interval")),
                *(say("rests on"), say("says of the claim")),
            ),
            rows=rows,
            note=caveats_text(judgements),
        )


def _published(judgements: Sequence[Judgement]) -> Iterator[Table]:
    rows = tuple(
        (
            judgement.claim.id,
            compared_text(each),
            claimed_text(each),
            _difference(each),
            range_text(each),
            printed_text(each),
            each.data,
            citation_text(each),
            weight_text(each),
            rule_text(each.binding),
        )
        for judgement in judgements
        for each in judgement.published.evidence
    )
    if rows:
        yield Table(
            title=say("What is published"),
            columns=(
                *(say("claim"), say("number"), say("claimed"), say("comes to"), say("read with"), say("printed")),
                *(say("data"), say("source"), say("says of the claim"), say("needed")),
            ),
            rows=rows,
        )


def _difference(evidence: Evidence) -> str:
    """What the printed figures come to; a figure by itself is printed already."""
    return estimate_text(evidence) if evidence.other or len(evidence.figures) > 1 else NOTHING


def _readings(judgements: Sequence[Judgement]) -> Iterator[Table]:
    rows = tuple(
        (
            judgement.claim.id,
            judgement.claim.text,
            ", ".join(part for part in (judgement.claim.source.title, judgement.claim.section) if part),
            say(judgement.claim.reading),
            say(judgement.claim.note),
        )
        for judgement in judgements
    )
    yield Table(
        title=say("How the claims were read"),
        columns=(say("claim"), say("the sentence"), say("where it stands"), say("read as"), say("note")),
        rows=rows,
    )
