"""Images that could not be read: counted once for all contenders, the first of them named."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from netversus.lab.left_out import SHOWN, left_out_shown
from netversus.study import LEFT_OUT


@pytest.fixture
def told(make_card):
    """What is said of what each contender's cell left out."""

    def tell(**found: dict[str, str]) -> list[str]:
        evidence = SimpleNamespace(
            contenders=[make_card("A"), make_card("B")],
            artifact=lambda name, card: (
                json.dumps(found[card]).encode() if name == LEFT_OUT and card in found else None
            ),
        )
        return [each.text for each in left_out_shown(evidence)]

    return tell


def test_an_image_that_several_cells_left_out_counts_once(told):
    one = {"x": "x: torn"}
    assert told(A=one, B=one) == ["1 image could not be read and was left out for every contender: x: torn."]
    (words,) = told(A=one, B=one | {"y": "y: empty"})
    assert words == "2 images could not be read and were left out for every contender: x: torn; y: empty."
    assert told() == []


def test_of_many_the_first_are_named_and_all_are_counted(told):
    (words,) = told(B={f"{n}": f"{n}: torn" for n in range(SHOWN + 2)})
    assert words.startswith(f"{SHOWN + 2} images could not be read")
    assert f"{SHOWN - 1}: torn; ..." in words
    assert f"{SHOWN}: torn" not in words
