"""Training recipes: every setting of the engine, and the published sets of them in `recipes/*.toml`. Loads no torch."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationError, model_validator

from netversus.errors import OptionError, nearest
from netversus.request import describe
from netversus.study import Options

DEFAULT = "small"
_ABOUT = ("source", "published_batch", "left_out")  # of a recipe's file: not settings
# Goyal et al. 2017 for SGD; You et al. 2020 (section 4.2) and Malladi et al. 2022 for what divides by the gradient.
_LINEAR = {"sgd", "nesterov"}

Optimizer = Literal["adamw", "sgd", "nesterov", "lamb", "muon"]
Schedule = Literal["cosine", "onecycle", "step", "constant"]


class Recipe(Options):
    """How a network is trained. What is not given is as the recipe named by `recipe` has it."""

    leading: ClassVar[frozenset[str]] = frozenset({"recipe"})

    recipe: Annotated[
        str,
        Field(
            description="small, torchvision-v1, torchvision-v2, a1, a2, a3, fast-adversarial, or a TOML file: what is "
            "not given."
        ),
    ] = DEFAULT
    epochs: Annotated[float, Field(gt=0, le=1000, description="Passes over the train split.")] = 10.0
    batch: Annotated[int, Field(ge=2, le=65536, description="Images in a step.")] = 32
    optimizer: Annotated[Optimizer, Field(description="adamw, sgd, nesterov, lamb or muon.")] = "adamw"
    learning_rate: Annotated[float, Field(gt=0, description="Peak learning rate.")] = 1e-3
    momentum: Annotated[float, Field(ge=0, lt=1, description="Of sgd, nesterov and muon.")] = 0.9
    weight_decay: Annotated[float, Field(ge=0, description="Weight decay.")] = 0.05
    decay_norms: Annotated[bool, Field(description="Decay norms and biases too.")] = False
    clip: Annotated[float, Field(ge=0, description="Largest norm of the gradient; 0: it is left alone.")] = 0.0
    sharpness: Annotated[
        float, Field(ge=0, description="Radius of sharpness-aware minimisation, which doubles the work; 0: off.")
    ] = 0.0
    adversarial_eps: Annotated[
        float,
        Field(
            ge=0, le=255, description="Train on images changed to mislead, by this much in l-inf, in 255ths; 0: off."
        ),
    ] = 0.0
    adversarial_steps: Annotated[
        int, Field(ge=1, le=100, description="Steps of that change, from a random one; each costs as much as training.")
    ] = 1
    adversarial_stride: Annotated[float, Field(gt=0, le=10, description="Length of such a step, in eps.")] = 1.25
    schedule: Annotated[Schedule, Field(description="cosine, onecycle, step or constant.")] = "cosine"
    warmup: Annotated[float, Field(ge=0, le=0.5, description="Share of the steps that warm up.")] = 0.1
    step_at: Annotated[float, Field(gt=0, le=1, description="schedule=step: share of the steps between two drops.")] = (
        1 / 3
    )
    step_factor: Annotated[float, Field(gt=0, lt=1, description="schedule=step: factor of a drop.")] = 0.1
    loss: Annotated[Literal["ce", "bce"], Field(description="Cross-entropy, or binary cross-entropy a class.")] = "ce"
    label_smoothing: Annotated[float, Field(ge=0, lt=1, description="Label smoothing.")] = 0.1
    augment: Annotated[
        Literal["none", "shift", "shift-flip", "crop-flip"],
        Field(
            description="Random shifts by an eighth of the side, or random resized crops; flips only where a mirrored "
            "class is the same."
        ),
    ] = "shift"
    auto_augment: Annotated[
        str,
        Field(
            pattern=r"^(|ta_wide|rand(-(m|n|mstd|inc)[0-9.]+)+)$",
            description="ta_wide, a RandAugment policy of timm such as rand-m7-mstd0.5-inc1, or nothing.",
        ),
    ] = ""
    mixup: Annotated[float, Field(ge=0, description="Alpha of mixup; 0: off.")] = 0.0
    cutmix: Annotated[float, Field(ge=0, description="Alpha of CutMix; 0: off.")] = 0.0
    erasing: Annotated[float, Field(ge=0, le=1, description="Probability of random erasing.")] = 0.0
    repeated: Annotated[int, Field(ge=1, le=16, description="How often an epoch shows each image it draws.")] = 1
    ema: Annotated[float, Field(ge=0, lt=1, description="Decay of the average of the weights; 0: off.")] = 0.0
    first_size: Annotated[
        float, Field(gt=0, le=1, description="Progressive resizing: the first side as a share of the last; 1: off.")
    ] = 1.0
    zero_init_residual: Annotated[
        bool, Field(description="Start every residual block as the identity, where it ends in a batch norm.")
    ] = True
    precision: Annotated[
        Literal["float32", "bfloat16"], Field(description="Of the products: float32, or bfloat16 by autocast.")
    ] = "float32"
    channels_last: Annotated[bool, Field(description="Keep images and weights in channels-last order.")] = False
    products: Annotated[
        bool,
        Field(description="On a CPU, compute 1x1 convolutions, and those of maps of one place, as matrix products."),
    ] = True
    compile: Annotated[bool, Field(description="Use torch.compile: pays on an accelerator only.")] = False

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        """What is not given, from the recipe; so that all that decides a result is written down with it."""
        if not isinstance(values, Mapping) or set(Recipe.model_fields) <= set(values):
            return values
        settings, about = _read(str(values.get("recipe", DEFAULT)))
        given = {key: value for key, value in values.items() if value is not None}
        if "batch" in given and "learning_rate" not in given:
            settings["learning_rate"] = _scaled(settings, about, given["batch"])
        return {**settings, **given}


def recipes() -> Mapping[str, str]:
    """The recipes that come along: name -> source."""
    found = (path for path in files(__package__).joinpath("recipes").iterdir() if path.name.endswith(".toml"))
    return {name: str(_read(name)[1]["source"]) for name in sorted(path.name.removesuffix(".toml") for path in found)}


def left_out(name: str) -> tuple[str, ...]:
    """What a published recipe asks for and the engine does not do."""
    return tuple(_read(name)[1].get("left_out", ()))


def make_recipe(values: Mapping[str, Any]) -> Recipe:
    """A validated recipe.

    Raises:
        OptionError: one line naming the first setting that does not fit.
    """
    try:
        return Recipe.model_validate(dict(values))
    except ValidationError as error:
        wrong = str((error.errors()[0]["loc"] or ("",))[0])
        hint = nearest(wrong, Recipe.model_fields) if wrong not in Recipe.model_fields else ""
        raise OptionError(f"recipe: {describe(error)}", hint=hint) from None


def _read(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The settings of a recipe, and what its file says about itself.

    Raises:
        OptionError: there is no such recipe, or its file is no TOML.
    """
    place = files(__package__).joinpath("recipes", f"{name}.toml")
    path = Path(name)
    try:
        if "/" not in name and place.is_file():
            content = tomllib.loads(place.read_text())
        elif path.suffix == ".toml":
            content = tomllib.loads(path.read_text())
        else:
            known = sorted(p.name.removesuffix(".toml") for p in files(__package__).joinpath("recipes").iterdir())
            hint = nearest(name, known) or f"known: {', '.join(known)}, or a TOML file"
            raise OptionError(f"there is no recipe {name!r}", hint=hint)
    except OSError as error:
        raise OptionError(f"cannot read the recipe {name}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError(f"{name} is not valid TOML: {error}") from None
    about = {key: content.pop(key) for key in _ABOUT if key in content}
    for key in content:
        if key not in Recipe.model_fields:
            raise OptionError(f"{name} sets {key!r}, which no recipe has", hint=nearest(key, Recipe.model_fields))
    return {**content, "recipe": name}, about


def _scaled(settings: Mapping[str, Any], about: Mapping[str, Any], batch: Any) -> Any:
    """The learning rate of a recipe that was published for another batch than is asked for."""
    rate, published = settings.get("learning_rate"), about.get("published_batch")
    if rate is None or published is None or not str(batch).isdecimal():
        return rate if rate is not None else Recipe.model_fields["learning_rate"].default
    ratio = int(batch) / published
    return rate * (ratio if settings.get("optimizer") in _LINEAR else math.sqrt(ratio))
