"""What must be known before the headline is believed: who is left out, what guesses, what was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netversus.messages import say
from netversus.records import ContenderCard, DataCard, Finding
from netversus.report.guessing import all_guess, chance_text, guessers
from netversus.report.headline import deciding_findings
from netversus.report.scorecard import is_refused

_MOST_OF_FINDINGS = 2  # the others stand beside their findings


def caveats(
    findings: Sequence[Finding], contenders: Sequence[ContenderCard], data: DataCard, unfinished: int
) -> tuple[str, ...]:
    """Sentences, the weightiest first. `unfinished` counts the planned cells that were not measured whole."""
    deciding = deciding_findings(findings)
    judged = [f for f in deciding if not is_refused(f)]
    said = [*_left_out(judged, contenders), *_guessing(judged, contenders, data)]
    said += list(dict.fromkeys(caveat for f in judged for caveat in f.caveats))[:_MOST_OF_FINDINGS]
    if unfinished == 1:
        said.append(say("1 planned cell was not measured whole: what it would have shown is missing here."))
    elif unfinished:
        said.append(
            say(
                "{n} planned cells were not measured whole: what they would have shown is missing here.",
                n=f"{unfinished:,}",
            )
        )
    return tuple(said)


def _left_out(judged: Sequence[Finding], contenders: Sequence[ContenderCard]) -> Iterator[str]:
    """Contenders that the verdict says nothing of."""
    names = {name for f in judged for name in (f.a, f.b)}
    for card in contenders:
        if names and card.name not in names:
            yield say("{name} has no finding on the primary question: it is left out of the verdict.", name=card.name)


def _guessing(judged: Sequence[Finding], contenders: Sequence[ContenderCard], data: DataCard) -> Iterator[str]:
    """Contenders that have learned nothing that a verdict could be about; where all guess, the headline says so."""
    if all_guess(judged, data):
        return
    guess = {name for f in judged for name in guessers(f, data)}
    for card in contenders:
        if card.name in guess:
            yield say(
                "{name} is not better than guessing ({chance}) on these images: it has not learned them.",
                name=card.name,
                chance=chance_text(data),
            )
