"""A study's options: what a user may write for each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import ValidationError

from netversus.records import ContenderCard
from netversus.studies import find_studies
from netversus.study import Options

MAY_BE_NONE = [
    (study.name, name)
    for study in find_studies().values()
    for name, field in study.options.model_fields.items()
    if field.default is None
]


@pytest.mark.parametrize(("study", "name"), MAY_BE_NONE)
def test_an_option_whose_help_says_none_takes_the_word(study: str, name: str):
    assert getattr(find_studies()[study].options.model_validate({name: "none"}), name) is None


@pytest.mark.parametrize(
    ("study", "changes", "trained"),
    [
        ("accuracy", {}, True),  # from random weights, in the study before
        ("accuracy", {"weights": "V2"}, False),
        ("adversarial", {"weights": "V2"}, False),
        ("detection", {"weights": "V2"}, True),  # a detector is trained on it, a seed each
        ("detection", {"weights": "coco", "head": "boxes"}, False),
        ("detection", {"weights": "", "source": "results"}, False),
        ("speed", {}, False),
    ],
)
def test_what_comes_trained_is_one_checkpoint_whatever_the_seed(
    make_card: Callable[..., ContenderCard], study: str, changes: dict[str, str], trained: bool
):
    assert find_studies()[study].trains(make_card("a", **changes)) is trained


def test_the_word_is_no_number_where_a_number_must_be():
    class Settings(Options):
        batch: int = 8

    with pytest.raises(ValidationError):
        Settings.model_validate({"batch": "none"})
