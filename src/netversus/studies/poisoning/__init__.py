"""How much does each contender take in of what somebody else put into its training data, and would it be noticed?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from netversus.lab.training.recipe import Recipe
from netversus.messages import noted
from netversus.records import Direction, Question, Scale
from netversus.study import Cost, Fit, Need, Study, Work

FEWEST_SAMPLES, FEWEST_IMAGES = 256, 200
ENOUGH_SAMPLES = 4000  # in fewer, rather fewer trainings than shorter ones
CLEANSE_BATCH, STRIP_OVERLAYS = 32, 16  # images in a step, of the defences whose work they are
_SHARES = r"^(0?\.\d+|1)(,(0?\.\d+|1))*$"
_NAMES = r"^([a-z-]+(,[a-z-]+)*)?$"


class PoisoningOptions(Recipe):
    """The recipe of every training, and who tampers with what."""

    samples: Annotated[int | None, Field(ge=1, description="Images shown in each training; it wins over epochs.")] = (
        None
    )
    attacks: Annotated[
        str,
        Field(
            pattern=r"^[a-z-]+(,[a-z-]+)*$",
            description="Backdoors, by comma: badnets, blended, warped, clean-label.",
        ),
    ] = "badnets,blended,warped,clean-label"
    rates: Annotated[
        str, Field(pattern=_SHARES, description="Shares of the train images that are poisoned, by comma.")
    ] = "0.01,0.1"
    target: Annotated[str, Field(description="The attacker's class, by name; empty: the first class of the data.")] = ""
    noise: Annotated[
        str, Field(pattern=_NAMES, description="Kinds of wrong labels, by comma: symmetric, asymmetric.")
    ] = "symmetric,asymmetric"
    noise_rates: Annotated[
        str, Field(pattern=_SHARES, description="Shares of the train labels that are made wrong, by comma.")
    ] = "0.2"
    defences: Annotated[
        str, Field(pattern=_NAMES, description="Defences, by comma: spectral, clusters, strip, cleanse.")
    ] = "spectral,clusters,strip,cleanse"
    expected: Annotated[
        float,
        Field(gt=0, lt=0.5, description="Spectral signatures: the largest share of poison that is reckoned with."),
    ] = 0.1
    strip_images: Annotated[int, Field(ge=10, description="STRIP: pictures of each kind that are tried.")] = 100
    cleanse_steps: Annotated[int, Field(ge=10, description="Neural Cleanse: steps of Adam for each class.")] = 100
    images: Annotated[
        int | None, Field(ge=20, description="Test images, from the recorded shuffle; none: all of them.")
    ] = 1000


def names(text: str) -> tuple[str, ...]:
    """The names in a list by comma, each once, in order."""
    return tuple(dict.fromkeys(part for part in text.split(",") if part))


def shares(text: str) -> tuple[float, ...]:
    """The shares in a list by comma, each once, the smallest first."""
    return tuple(sorted({float(part) for part in text.split(",") if float(part) > 0}))


def trainings(options: PoisoningOptions) -> tuple[int, int]:
    """How many trainings a contender gets: those with a backdoor, and those with wrong labels. One more is clean."""
    backdoors = len(names(options.attacks)) * len(shares(options.rates))
    return backdoors, len(names(options.noise)) * len(shares(options.noise_rates))


def steps(options: PoisoningOptions, train: int) -> int:
    """Steps of each training on so many images: whole batches, at least one."""
    return max(1, (options.samples or round(options.epochs * train)) // options.batch)


def _samples(options: PoisoningOptions, work: Work) -> int:
    return steps(options, work.data.splits.get("train", 0)) * options.batch


def _test(options: PoisoningOptions, work: Work) -> int:
    available = work.data.splits.get("test", 0)
    return min(available, options.images or available)


def _cost(options: PoisoningOptions, work: Work) -> Cost:
    backdoors, noisy = trainings(options)
    train, pixels = work.data.splits.get("train", 0), (work.data.image_size or 224) ** 2
    learned = (1 + backdoors + noisy) * _samples(options, work) * work.train_seconds
    judged = _test(options, work) * (1 + 2 * backdoors + noisy + len(names(options.attacks))) * work.infer_seconds
    return Cost(
        seconds=learned + judged + (1 + backdoors) * _defended(options, work) + (train + _test(options, work)) * 2e-3,
        memory=16 * work.parameters + options.batch * pixels * 3 * 4 * 60 + 3 * train * pixels * 3,
        disk=4 * work.parameters * 6,
    )


def _defended(options: PoisoningOptions, work: Work) -> float:
    """Seconds of the defences on one training of every contender."""
    chosen = names(options.defences)
    looked = work.data.splits.get("train", 0) * ("spectral" in chosen or "clusters" in chosen)
    mixed = 3 * options.strip_images * STRIP_OVERLAYS * ("strip" in chosen)
    sought = len(work.data.classes) * options.cleanse_steps * CLEANSE_BATCH * ("cleanse" in chosen)
    return (looked + mixed) * work.infer_seconds + sought * work.train_seconds


def _fit(options: PoisoningOptions, work: Work, seconds: float) -> Fit:
    """Shorter trainings first, down to what still teaches something; then fewer of them; then shorter ones again."""
    if _cost(options, work).seconds <= seconds:
        return Fit(options)
    wanted = _samples(options, work)
    fitted = options
    for fewer in _fewer(options):
        rest = seconds - _cost(fewer.model_copy(update={"samples": 1}), work).seconds
        each = (1 + sum(trainings(fewer))) * work.train_seconds
        samples = int(rest / each) if each else wanted
        fitted = fewer.model_copy(update={"samples": min(wanted, max(samples, FEWEST_SAMPLES))})
        if samples >= min(wanted, ENOUGH_SAMPLES):
            break
    if fitted == options:
        return Fit(options)
    cut = noted(
        "poisoning: {trainings} of {planned} trainings a contender, {samples} of {all_samples} samples a training, "
        "{defences} of {all_defences} defences fit the budget",
        trainings=1 + sum(trainings(fitted)),
        planned=1 + sum(trainings(options)),
        samples=f"{_samples(fitted, work):,}",
        all_samples=f"{wanted:,}",
        defences=len(names(fitted.defences)),
        all_defences=len(names(options.defences)),
    )
    return Fit(fitted, (cut,))


def _fewer(options: PoisoningOptions) -> Iterator[PoisoningOptions]:
    """The options, then ever less of them: the dearest defence goes first, the last attack last."""
    yield options
    cheap = ",".join(each for each in names(options.defences) if each != "cleanse")
    options = options.model_copy(update={"defences": cheap, "strip_images": min(options.strip_images, 30)})
    yield options
    options = options.model_copy(update={"rates": f"{shares(options.rates)[-1]:g}"})
    yield options
    for count in range(len(names(options.attacks)) - 1, 0, -1):
        options = options.model_copy(
            update={"attacks": ",".join(names(options.attacks)[:count]), "noise": ",".join(names(options.noise)[:1])}
        )
        yield options
    images = min(options.images or FEWEST_IMAGES, FEWEST_IMAGES)
    yield options.model_copy(update={"noise_rates": f"{shares(options.noise_rates)[-1]:g}", "images": images})


STUDY = Study(
    name="poisoning",
    version=2,
    question="How much does each contender take in of poisoned training data, and would it be noticed?",
    questions=(
        Question(
            metric="attack_success",
            asks="Into which contender is a backdoor planted more easily, averaged over the attacks and their shares?",
            scale=Scale.MEAN,
            direction=Direction.LOWER,
            unit="%",
            paired_on="image",
            margin=0.02,
            bounds=(0.0, 1.0),
        ),
        Question(
            metric="poisoned_top1",
            asks="Which contender is right more often on clean images after it learned from poisoned ones?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="image",
            margin=0.01,
            bounds=(0.0, 1.0),
        ),
        Question(
            metric="noisy_top1",
            asks="Which contender is right more often after it learned from wrong labels?",
            scale=Scale.MEAN,
            direction=Direction.HIGHER,
            unit="%",
            paired_on="image",
            margin=0.01,
            bounds=(0.0, 1.0),
        ),
    ),
    needs=frozenset({Need.LABELLED_IMAGES, Need.TRAIN_SPLIT, Need.SCRATCH_WEIGHTS, Need.TORCH_MODULE}),
    options=PoisoningOptions,
    seeded=True,
    cost=_cost,
    fit=_fit,
    share=3.0,
    default=False,
)
