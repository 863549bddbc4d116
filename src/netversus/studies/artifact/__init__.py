"""What is in each contender's files, and would opening them run anything?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Options, Study, Work

SECONDS_EACH = 0.3  # to find a contender's files and to follow their pickles
BYTES_A_SECOND = 4e8  # a digest and a checksum of every byte, on one slow core
SCAN_FILE = "scan.json"  # the artifact that keeps a contender's scans
OWN_CODE = "own code"  # the verdict of what is code and nothing else


class ArtifactOptions(Options):
    """Settings of the artifact study."""

    seconds: Annotated[
        float, Field(gt=0, le=3600, description="Seconds after which the scan of a file gives up: it is not scanned.")
    ] = 60.0


def _cost(options: ArtifactOptions, work: Work) -> Cost:  # noqa: ARG001 (every study's cost is called so)
    size = sum(4 * rates.parameters for rates in work.rates.values())
    return Cost(seconds=SECONDS_EACH * len(work.rates) + size / BYTES_A_SECOND)


STUDY = Study(
    name="artifact",
    question="What is in each contender's files, and would opening them run anything?",
    questions=(
        Question(
            metric="refused",
            asks="How many of a contender's files are hostile, suspicious or damaged, and would not be opened?",
            scale=Scale.FACT,
            direction=Direction.LOWER,
            unit="files",
            paired_on="contender",
        ),
        Question(
            metric="unscanned",
            asks="How many of a contender's files are code, or of a kind that no scan here reads?",
            scale=Scale.FACT,
            direction=Direction.LOWER,
            unit="files",
            paired_on="contender",
        ),
        Question(
            metric="files",
            asks="From how many files is each contender made?",
            scale=Scale.FACT,
            direction=Direction.NEITHER,
            unit="files",
            paired_on="contender",
        ),
    ),
    options=ArtifactOptions,
    cost=_cost,
    share=0.1,
)
