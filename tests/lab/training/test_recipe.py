"""Recipes: data with a source, whole when they are used, one line when they are wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from netversus.errors import OptionError
from netversus.lab.training.recipe import Recipe, left_out, make_recipe, recipes
from netversus.studies.training import TrainingOptions

PUBLISHED = {  # torchvision's reference scripts; Wightman et al. 2021, table 2
    "torchvision-v1": ("sgd", 0.1, 256, 90, 1e-4, "ce", 0.0),
    "torchvision-v2": ("sgd", 0.5, 1024, 600, 2e-5, "ce", 0.1),
    "a1": ("lamb", 5e-3, 2048, 600, 0.01, "bce", 0.1),
    "a2": ("lamb", 5e-3, 2048, 300, 0.02, "bce", 0.0),
    "a3": ("lamb", 8e-3, 2048, 100, 0.02, "bce", 0.0),
    "fast-adversarial": ("sgd", 0.2, 128, 15, 5e-4, "ce", 0.0),  # Wong et al. 2020 and their code
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_recipe_is_as_it_was_published(name: str):
    r = make_recipe({"recipe": name})
    assert (r.optimizer, r.learning_rate, r.batch, r.epochs, r.weight_decay, r.loss, r.label_smoothing) == PUBLISHED[
        name
    ]


def test_every_recipe_names_its_source():
    assert set(recipes()) == {"small", *PUBLISHED}
    assert all(any(year in source for year in ("20", "references")) for source in recipes().values())


def test_what_is_not_given_is_the_small_recipe():
    declared = {name: field.default for name, field in Recipe.model_fields.items()}
    assert make_recipe({}).model_dump() == declared


def test_what_a_recipe_asks_for_and_is_not_done_is_told():
    assert "stochastic depth" in " ".join(left_out("a1"))
    assert left_out("small") == ()


def test_a_setting_wins_over_the_recipe():
    assert make_recipe({"recipe": "a3", "mixup": 0.0}).mixup == 0.0
    assert make_recipe({"recipe": "a3"}).mixup == 0.1


@pytest.mark.parametrize(("name", "factor"), [("torchvision-v1", 1 / 8), ("a2", math.sqrt(1 / 64))])
def test_the_learning_rate_follows_the_batch_it_was_published_for(name: str, factor: float):
    assert make_recipe({"recipe": name, "batch": "32"}).learning_rate == pytest.approx(PUBLISHED[name][1] * factor)
    assert make_recipe({"recipe": name, "batch": 32, "learning_rate": 0.3}).learning_rate == 0.3


def test_options_are_written_down_whole_so_that_they_do_not_change_with_the_recipe_s_file(tmp_path: Path):
    file = tmp_path / "mine.toml"
    file.write_text('source = "me"\nlearning_rate = 0.5\nbatch = 64\n')
    options = TrainingOptions.model_validate({"recipe": str(file), "rounds": 3})
    assert (options.learning_rate, options.batch, options.rounds) == (0.5, 64, 3)
    stored = options.model_dump(mode="json")
    file.unlink()
    assert TrainingOptions.model_validate(stored) == options


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"recipe": "a4"}, "no recipe 'a4'"),
        ({"recipe": "smal"}, "did you mean small?"),
        ({"recipe": "nowhere.toml"}, "cannot read the recipe nowhere.toml"),
        ({"learning_rte": 1}, "did you mean learning_rate?"),
        ({"learning_rate": -1}, "greater than 0, got -1"),
        ({"auto_augment": "wide"}, "auto_augment"),
        ({"batch": "many"}, "batch"),
    ],
)
def test_a_wrong_recipe_is_one_line(values: dict[str, object], said: str):
    with pytest.raises(OptionError) as caught:
        make_recipe(values)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [("batch = ", "not valid TOML"), ("bach = 3", "did you mean batch?")])
def test_a_wrong_file_is_named(tmp_path: Path, text: str, said: str):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(OptionError) as caught:
        make_recipe({"recipe": str(tmp_path / "mine.toml")})
    assert said in str(caught.value)
    assert "mine.toml" in str(caught.value)
