"""Whose answers survive small changes that are made to mislead it?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from netversus.errors import nearest
from netversus.messages import noted
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Fit, Need, Options, Sequential, Study, Work

ATTACKS = ("fgsm", "pgd", "apgd-ce", "apgd-t", "fab-t", "square")
SMALL_SIDE = 128  # from here on images count as ImageNet's do
LEVELS = 255.0
FEWEST_IMAGES, FEWEST_STEPS, FEWEST_TARGETS, FEWEST_QUERIES = 32, 4, 1, 20
FEWEST_CHECKS, FEWEST_SMOOTHED, FEWEST_COPIES = 4, 4, 20
STEPS_OF_A_CUT = 30
SHORT_STEPS, SELECTION, GREY_STEPS = 10, 50, 50

# What the cost is estimated from: a pass forwards and one back to the pixels; how many images are still right when the
# attacks at the largest eps begin, and on the average at an eps of the curve. Of networks as they are usually trained
# fewer are; of hardened ones more.
_GRADIENT, _SURVIVING, _ON_THE_CURVE = 3.0, 0.2, 0.5


class AdversarialOptions(Options):
    """Settings of the adversarial study."""

    norm: Annotated[Literal["linf", "l2"], Field(description="How far a change goes: linf (each pixel) or l2.")] = (
        "linf"
    )
    eps: Annotated[
        float | None,
        Field(
            ge=0,
            description="Largest change in 255ths of the pixel range; none: 8 below 128 px, 4 from there on, l2: 128.",
        ),
    ] = None
    attacks: Annotated[str, Field(description="Attacks by comma, the cheap ones first.")] = ",".join(ATTACKS)
    images: Annotated[int | None, Field(ge=1, description="Test images, from the recorded shuffle; none: all.")] = 256
    batch: Annotated[int, Field(ge=1, le=1024, description="Images that are attacked before anything is stored.")] = 64
    order_seed: Annotated[int, Field(ge=0, description="Seed of the shuffle in which images are read.")] = 0
    steps: Annotated[int, Field(ge=1, le=10_000, description="Steps of APGD and FAB.")] = 100
    targets: Annotated[int, Field(ge=1, le=1000, description="Wrong classes that APGD-T and FAB-T aim at.")] = 9
    queries: Annotated[int, Field(ge=1, le=1_000_000, description="Looks at the outputs that Square takes.")] = 5000
    curve: Annotated[
        str,
        Field(description="Smaller eps by comma, in 255ths (16 times that for l2), each with a fifth of the steps."),
    ] = "0.25,0.5,1,2,4"
    checks: Annotated[int, Field(ge=1, description="Images on which signs of a failed attack are looked for.")] = 16
    transfer_steps: Annotated[int, Field(ge=1, description="Steps on one contender to mislead the others.")] = 20
    smoothing_images: Annotated[int, Field(ge=1, description="Images that get a certified radius.")] = 32
    smoothing_sigma: Annotated[float, Field(gt=0, description="Noise of the smoothing, in pixels of [0, 1].")] = 0.12
    smoothing_copies: Annotated[int, Field(ge=10, description="Noisy copies that tell how sure an answer is.")] = 500
    precision: Annotated[
        Literal["float32", "bfloat16"],
        Field(
            description="Of the search; what bfloat16 finds is verified in float32, what it leaves is searched again."
        ),
    ] = "float32"

    @field_validator("attacks")
    @classmethod
    def _known_attacks(cls, text: str) -> str:
        for name in (each.strip() for each in text.split(",")):
            if name not in ATTACKS:
                hint = nearest(name, ATTACKS) or f"known: {', '.join(ATTACKS)}"
                raise ValueError(f"there is no attack {name!r}; {hint}")
        return text

    @field_validator("curve")
    @classmethod
    def _numbers(cls, text: str) -> str:
        try:
            values = [float(each) for each in text.split(",") if each.strip()]
        except ValueError:
            raise ValueError(f"expected numbers by comma, got {text!r}") from None
        if any(not 0 < value < 256 for value in values):
            raise ValueError(f"an eps of the curve lies above 0 and below 256, got {text!r}")
        return text


def _images(options: AdversarialOptions, work: Work) -> int:
    available = work.data.splits.get("test", 0)
    return min(available, options.images or available)


def _passes(options: AdversarialOptions, images: int) -> float:
    """Passes forwards that one contender takes."""
    points = len([each for each in options.curve.split(",") if each.strip()])
    few = max(1, options.steps // 5)
    curve = _ON_THE_CURVE * points * _GRADIENT * (1 + few + few * min(2, options.targets))
    whole = _SURVIVING * (_GRADIENT * (1 + SHORT_STEPS + options.steps * (1 + 2 * options.targets)) + options.queries)
    each = curve + whole + _GRADIENT * options.transfer_steps + 8 * (points + 1)
    checks = _GRADIENT * ((points + 3) * options.steps + GREY_STEPS) + options.queries / 10
    smoothing = SELECTION + options.smoothing_copies
    return images * each + min(images, options.checks) * checks + min(images, options.smoothing_images) * smoothing


def _cost(options: AdversarialOptions, work: Work) -> Cost:
    images = _images(options, work)
    pixels = 3 * (work.data.image_size or 224) ** 2
    return Cost(
        seconds=_passes(options, images) * work.infer_seconds,
        memory=8 * work.parameters * len(work.rates) + options.batch * pixels * 4 * 20,
        disk=images * len(work.rates) * (2 * pixels * 4 + 500),
    )


def _fit(options: AdversarialOptions, work: Work, seconds: float) -> Fit:
    """Fewer images first, for an attack that is cut short flatters whom it attacks; then fewer steps."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    total, fitted = _images(options, work), options
    for step in range(1, STEPS_OF_A_CUT + 1):
        share = 0.75**step
        images = min(total, max(FEWEST_IMAGES, round(share * total)))
        shorter = 1.0 if images > FEWEST_IMAGES else share * total / min(total, FEWEST_IMAGES)
        fitted = options.model_copy(update={"images": images, **_shortened(options, share, min(1.0, shorter))})
        if _cost(fitted, work).seconds <= seconds:
            break
    cut = noted(
        "adversarial: {n} of {total} test images, {steps} steps, {targets} targets, {queries} queries fit the budget",
        n=f"{_images(fitted, work):,}",
        total=f"{total:,}",
        steps=f"{fitted.steps:,}",
        targets=fitted.targets,
        queries=f"{fitted.queries:,}",
    )
    return Fit(fitted, (cut,))


def _shortened(options: AdversarialOptions, share: float, shorter: float) -> dict[str, int]:
    """The checks and the smoothing by the images' share; the attacks by what is left to be saved."""

    def cut(value: int, by: float, least: int) -> int:
        return min(value, max(least, round(by * value)))

    return {
        "checks": cut(options.checks, share, FEWEST_CHECKS),
        "smoothing_images": cut(options.smoothing_images, share, FEWEST_SMOOTHED),
        "smoothing_copies": cut(options.smoothing_copies, share, FEWEST_COPIES),
        "transfer_steps": cut(options.transfer_steps, shorter, FEWEST_STEPS),
        "steps": cut(options.steps, shorter, FEWEST_STEPS),
        "targets": cut(options.targets, shorter, FEWEST_TARGETS),
        "queries": cut(options.queries, shorter, FEWEST_QUERIES),
    }


def _proportion(metric: str, asks: str) -> Question:
    return Question(
        metric=metric,
        asks=asks,
        scale=Scale.PROPORTION,
        direction=Direction.HIGHER,
        unit="%",
        paired_on="image",
        margin=0.02,
    )


STUDY = Study(
    name="adversarial",
    version=2,  # networks that draw random numbers are attacked through the average of many passes
    question="Whose answers survive changes within a small distance that are made to mislead it?",
    questions=(
        _proportion("robust_top1", "Who is still right more often under the worst of the attacks within eps?"),
        _proportion("transfer_top1", "Who is still right more often under attacks that were made on the others?"),
        Question(
            metric="smallest_eps",
            asks="Whose wrong answers lie further away (the smallest change that was found, cut at the largest eps)?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="/255",
            paired_on="image",
            margin=0.1,
        ),
        Question(
            metric="certified_radius",
            asks="Whose smoothed answers are right for certain within a larger l2 distance (0 where wrong or unsure)?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="",
            paired_on="image",
            margin=0.02,
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAINED_WEIGHTS, Need.TORCH_MODULE}),
    options=AdversarialOptions,
    cost=_cost,
    fit=_fit,
    sequential=Sequential(),
    together=True,
    differentiates=True,
    default=False,
)
