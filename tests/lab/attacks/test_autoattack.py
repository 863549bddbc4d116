"""Beside the public AutoAttack, whose answers lie in autoattack.json (see make_reference.py)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lab.attacks.formula_net import IMAGES, formula_images, formula_net
from lab.attacks.linear import victim_of
from netversus.decide.strength import NEEDED
from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.cascade import cascade
from netversus.lab.attacks.draws import keys_of
from netversus.lab.attacks.threat import Threat

REFERENCE = json.loads(Path(__file__).with_name("autoattack.json").read_text())


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: f"{case['norm']}-{case['levels']:g}")
def test_the_standard_set_leaves_no_more_images_right_than_the_public_one(case):
    victim, images = victim_of(formula_net()), formula_images()
    labels = victim.exact(images).argmax(1)
    found = cascade(
        victim,
        images,
        labels,
        Threat(case["norm"], case["levels"] / 255),
        Budget(queries=500),  # a tenth of Square's: so near as here it turns nothing that the others leave
        keys_of([str(i) for i in range(IMAGES)], 0),
        attacks=NEEDED["adversarial"],
    )
    theirs = torch.tensor(case["right"])
    assert 0 < int(theirs.sum()) < IMAGES
    assert int(found.right.sum()) <= int(theirs.sum())
