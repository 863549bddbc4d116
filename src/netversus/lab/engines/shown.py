"""What the contenders were run on, as the report shows it: every engine that was tried, and its price.

Loads no torch.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from netversus.exhibits import Scalar, Table
from netversus.messages import in_a_row, say, sentences, told
from netversus.study import Evidence

ENGINE_FILE = "engine.json"
"""The artifact in which a cell tells of a contender's engine; see `netversus.lab.running`."""
REFERENCE = "eager"


def engines_shown(evidence: Evidence) -> Iterator[Table]:
    """A row for each engine that was tried for each contender; nothing where all ran in eager fp32."""
    records = {card.name: evidence.artifact(ENGINE_FILE, card.name) for card in evidence.contenders}
    kept = {name: json.loads(record) for name, record in records.items() if record}
    if kept:
        yield Table(
            title=say("What the contenders were run on"),
            columns=(
                *(say("contender"), say("engine"), say("ms an image"), say("times as fast as fp32")),
                *(say("preparing (s)"), say("images until that is paid")),
                *(say("first answers changed"), say("largest shift"), say("why")),
            ),
            rows=tuple(row for name, record in kept.items() for row in _rows(name, record)),
            formats=("", "", ".3g", ".2f", ".3g", ",d", "", ".2g", ""),
            note=_note(evidence, kept),
        )


def _rows(contender: str, record: Mapping[str, Any]) -> Iterator[tuple[Scalar, ...]]:
    candidates = record["candidates"]
    eager = next((each.get("seconds") for each in candidates if each["engine"] == REFERENCE), None)
    for each in candidates:
        seconds, preparing = each.get("seconds"), each.get("compile_seconds")
        yield (
            contender,
            each["engine"],
            None if seconds is None else 1e3 * seconds,
            eager / seconds if eager and seconds else None,
            preparing,
            _paid(eager, seconds, preparing) if each["engine"] != REFERENCE else None,
            "–" if each.get("flips") is None else say("{n} of {all}", n=each["flips"], all=each["judged"]),
            each.get("largest"),
            _why(each, record["engine"]),
        )


def _paid(eager: float | None, seconds: float | None, preparing: float | None) -> int | None:
    """Images after which an engine has won back what it cost to prepare; None where it wins nothing."""
    if eager is None or seconds is None or preparing is None or seconds >= eager:
        return None
    return round(preparing / (eager - seconds))


def _why(candidate: Mapping[str, Any], engine: str) -> str:
    if candidate.get("why"):
        return told(candidate["why"])
    if candidate["engine"] == engine:
        return say("as asked")
    return say("what the others are compared with") if candidate["engine"] == REFERENCE else ""


def _note(evidence: Evidence, kept: Mapping[str, Mapping[str, Any]]) -> str:
    """What agreement means here, how sure it is, and what it cost to find out."""
    words = [
        say("Beside fp32 by torch, on some of the run's own images. No time that is judged holds the preparing."),
        *_batches(kept),
        *_other_seeds(evidence, kept),
        say("The largest shift is the most that the probability of a class moved on any image."),
    ]
    tolerance = next((each["tolerance"] for each in kept.values() if "tolerance" in each), None)
    if tolerance:
        words.append(
            say(
                "Chosen by itself is only an engine that changes at most {flips} % of the first answers and moves "
                "probabilities by at most {shift} on average. Where none of n images changed, up to 3/n of all may, at "
                "95 %.",
                flips=f"{100 * tolerance['flips']:g}",
                shift=f"{tolerance['shift']:g}",
            )
        )
    seconds = sum(each.get("seconds", 0.0) for each in kept.values())
    if seconds:
        words.append(say("To prepare and compare all of them took {n} s.", n=f"{seconds:.3g}"))
    return sentences(*words)


def _batches(kept: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """How many images at once the times are of: with more or fewer, another engine may be the fastest."""
    counts = {name: record["batch"] for name, record in kept.items() if "batch" in record}
    if len(set(counts.values())) == 1:
        yield say("The times are of {n} images shown at once.", n=next(iter(counts.values())))
    elif counts:
        each = in_a_row([f"{name} {n}" for name, n in counts.items()])
        yield say("The times are of so many images shown at once: {each}.", each=each)


def _other_seeds(evidence: Evidence, kept: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """Where the weights of another seed are run on another engine: theirs do not agree with fp32 on the first."""
    for name, first in kept.items():
        for seed in evidence.seeds:
            record = evidence.artifact(ENGINE_FILE, name, seed)
            engine = json.loads(record)["engine"] if record else first["engine"]
            if engine != first["engine"]:
                yield say(
                    "With the weights of seed {seed}, {name} was run on {engine}.", seed=seed, name=name, engine=engine
                )
