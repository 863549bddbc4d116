"""Each sign that an attack failed for the wrong reasons is shown, and said in a sentence that names the threat."""

from __future__ import annotations

import json

import numpy as np
import pytest

from netversus.exhibits import Table, Text
from netversus.statistics.pairing import Sample
from netversus.studies.adversarial import AdversarialOptions
from netversus.studies.adversarial import protocol as names
from netversus.studies.adversarial.doubts import doubts

HONEST = {
    "images": 16,
    "changed_at_zero": 0,
    "lost_by_larger": 0,
    "right_at_large": 0,
    "right_by_steps": [6, 5, 5],
    "no_gradient": 0,
    "zero_share": 0.01,
    "loss_stuck": 0,
    "random_outputs": 0,
    "probabilities": False,
    "square_alone": 0,
}
UNITS = tuple("abcdefgh")
SETTINGS = names.protocol(AdversarialOptions(), 32)


class Told:
    """A contender of which these facts were stored, and answers after each attack."""

    def __init__(self, facts: dict[str, object], **values: list[float]) -> None:
        self.facts, self.values = facts, values

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        return json.dumps(self.facts).encode() if name == names.CHECKS else None

    def series(self, contender: str, metric: str, seed: int | None = None) -> Sample | None:
        found = self.values.get(metric.replace("-", "_"))
        return None if found is None else Sample(UNITS, np.array(found))


def shown(make_card, told: Told) -> tuple[Table, list[str]]:
    parts = list(doubts(told, [(make_card("net"), SETTINGS)]))
    table = next(part for part in parts if isinstance(part, Table))
    return table, [part.text for part in parts if isinstance(part, Text)]


def struck(table: Table) -> list[str]:
    return [str(row[0]) for row in table.rows if str(row[1]).endswith("!")]


def test_of_an_honest_contender_nothing_strikes_and_nothing_is_said(make_card):
    table, said = shown(make_card, Told(HONEST))
    assert struck(table) == said == []
    assert len(table.rows) == 10


@pytest.mark.parametrize(
    ("change", "sign"),
    [
        ({"changed_at_zero": 1}, "an eps of 0 changes an answer"),
        ({"lost_by_larger": 2}, "a larger eps loses what a smaller one found"),
        ({"right_at_large": 1}, "still right where everything may turn grey"),
        ({"right_by_steps": [9, 8, 4]}, "still right after a quarter, half and all of the steps"),
        ({"no_gradient": 1}, "no gradient at all"),
        ({"zero_share": 0.6}, "share of pixels without a gradient"),
        ({"loss_stuck": 2}, "the loss does not rise"),
        ({"random_outputs": 1}, "the outputs vary from call to call"),
        ({"probabilities": True}, "the outputs are probabilities, not logits"),
        ({"square_alone": 1}, "Square turns what APGD does not"),
    ],
)
def test_each_sign_alone_strikes_and_is_said_with_the_threat(make_card, change, sign):
    table, said = shown(make_card, Told(HONEST | change))
    assert struck(table) == [sign]
    (text,) = said
    assert sign in text
    assert "net under changes of at most 8/255 in l-inf is too good" in text


def test_square_after_all_others_and_another_contenders_changes_strike_when_they_turn_what_was_left(make_card):
    left, all_right = [1.0] * 4 + [0.0] * 4, [1.0] * 8
    by_square = Told(HONEST, right_after_fab_t=all_right, right_after_square=left)
    assert struck(shown(make_card, by_square)[0]) == ["Square turns what all attacks before it left"]
    by_others = Told(HONEST, robust_top1=left, transfer_top1=[0.0] + [1.0] * 7)
    assert struck(shown(make_card, by_others)[0]) == ["changes made on another contender turn what all attacks left"]
    # what an attack of its own turned as well is no sign
    fine = Told(HONEST, robust_top1=left, transfer_top1=[1.0] * 4 + [0.0] * 4)
    assert struck(shown(make_card, fine)[0]) == []


def test_of_no_image_nothing_is_checked_and_nothing_shown(make_card):
    assert list(doubts(Told(HONEST | {"images": 0}), [(make_card("net"), SETTINGS)])) == []
