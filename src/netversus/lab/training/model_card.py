"""The model card of a network that was trained here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from scipy.stats import binomtest

from netversus import __version__
from netversus.lab.training.recipe import Recipe, left_out
from netversus.records import ContenderCard, DataCard

TASK = "image-classification"


@dataclass(frozen=True)
class Trained:
    """What came out of a training. `correct` of the `images` of the test split; None where there is none."""

    steps: int
    samples: int
    correct: int | None
    images: int | None

    def facts(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @property
    def top1(self) -> float | None:
        """The share of test images that are classified correctly."""
        return None if self.correct is None or not self.images else self.correct / self.images


def model_card(
    card: ContenderCard,
    data: DataCard,
    recipe: Recipe,
    config: Mapping[str, Any],
    trained: Trained,
    spec: str,
) -> str:
    """The card as Markdown with its YAML header: what it is, how good, how it was made and is used."""
    header = ModelCardData(
        model_name=f"{card.architecture} on {data.name}",
        library_name="timm" if card.source == "timm" else "torchvision",
        pipeline_tag=TASK,
        tags=["netversus", TASK, card.architecture],
        datasets=[data.name],
        eval_results=_results(data, trained),
    )
    made = (
        f"Trained from scratch by netversus {__version__} on {data.splits.get('train', 0):,} images of {data.spec} "
        f"({len(data.classes)} classes), in {trained.steps:,} steps of {recipe.batch}."
    )
    limits = (
        "One seed: the numbers speak of these weights, not of the recipe. Its outputs stand for the classes in this "
        f"order: {', '.join(data.classes)}."
    )
    parts = [
        f"# {card.architecture} on {data.name}",
        made,
        _accuracy(trained),
        "## Use",
        f"    netversus compare '{spec}' OTHER --data '{data.spec}'",
        "## How it was trained",
        *_recipe(recipe),
        "\n".join(["| setting | value |", "| --- | --- |", *(f"| {k} | {v} |" for k, v in config.items())]),
        "## Limits",
        limits,
    ]
    return str(ModelCard(f"---\n{header.to_yaml()}\n---\n\n" + "\n\n".join(part for part in parts if part) + "\n"))


def _results(data: DataCard, trained: Trained) -> list[EvalResult] | None:
    if trained.top1 is None:
        return None
    result = EvalResult(
        task_type=TASK,
        dataset_type=data.name,
        dataset_name=data.name,
        dataset_split="test",
        metric_type="accuracy",
        metric_value=round(trained.top1, 6),
    )
    return [result]


def _accuracy(trained: Trained) -> str:
    if trained.correct is None or trained.images is None:
        return "It was not judged: the data have no test split."
    low, high = binomtest(trained.correct, trained.images).proportion_ci(0.95, method="wilson")
    return (
        f"It classifies {trained.correct:,} of {trained.images:,} test images correctly: "
        f"{100 * trained.correct / trained.images:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f} %)."
    )


def _recipe(recipe: Recipe) -> tuple[str, ...]:
    missing = left_out(recipe.recipe)
    said = f"The recipe {recipe.recipe}, with the settings below."
    return (said,) if not missing else (said, f"What it asks for and was not done: {'; '.join(missing)}.")
