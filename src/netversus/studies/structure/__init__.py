"""How large, how deep and how far-sighted is each contender as a network, and in which stage do they differ?"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from netversus.messages import template
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Need, Options, Study, Work

STEM, HEAD = template("stem"), template("head")  # names of what lies before and after the numbered stages
ONE_IMAGE = 3  # inferences that one written-down pass costs
STRIPS = 20  # about so many thin strips are shown to find the theoretical receptive field
SECONDS_EACH = 6.0  # to load a contender twice, and to show it strips, which cost little less than small images


class StructureOptions(Options):
    """Settings of the structure study."""

    inputs: Annotated[
        int, Field(ge=1, le=1000, description="Random images that the effective receptive field is averaged over.")
    ] = 8


def _cost(options: StructureOptions, work: Work) -> Cost:
    inferences = ONE_IMAGE + STRIPS + 3 * options.inputs  # forward, and backward to the image
    pixels = (work.data.image_size or 224) ** 2
    return Cost(
        seconds=SECONDS_EACH * len(work.rates) + inferences * work.infer_seconds,
        memory=2 * 4 * work.parameters + pixels * 3 * 4 * 200,
    )


STUDY = Study(
    name="structure",
    question="How large and how deep is each contender as a network, how far does it see, and where do they differ?",
    questions=(
        Question(
            metric="parameters",
            asks="Which contender has fewer parameters?",
            scale=Scale.FACT,
            direction=Direction.LOWER,
            unit="parameters",
            paired_on="contender",
        ),
        Question(
            metric="macs",
            asks="Which contender needs fewer multiply-adds for one image?",
            scale=Scale.FACT,
            direction=Direction.LOWER,
            unit="MACs",
            paired_on="contender",
        ),
        Question(
            metric="activations",
            asks="Which contender's layers write fewer numbers for one image?",
            scale=Scale.FACT,
            direction=Direction.LOWER,
            unit="",
            paired_on="contender",
        ),
        Question(
            metric="peak_memory",
            asks="Which contender needs less memory to answer one image?",
            scale=Scale.FACT,
            direction=Direction.LOWER,
            unit="bytes",
            paired_on="contender",
        ),
        Question(
            metric="depth",
            asks="How many layers with weights lie on the longest way through each contender?",
            scale=Scale.FACT,
            direction=Direction.NEITHER,
            unit="layers",
            paired_on="contender",
        ),
    ),
    needs=frozenset({Need.TORCH_MODULE}),
    options=StructureOptions,
    cost=_cost,
    share=0.2,
)
