"""Writes autoattack.json: which images the public AutoAttack (pyautoattack 0.2.0, standard version) leaves right.

It needs that package, which needs torch and numpy only:

    uv pip install --target peer --no-deps pyautoattack==0.2.0
    PYTHONPATH=tests:peer python tests/lab/attacks/make_reference.py
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from pyautoattack import AutoAttack

from lab.attacks.formula_net import formula_images, formula_net

CASES = (("linf", 2.0), ("linf", 4.0), ("l2", 48.0), ("l2", 64.0))


def main() -> None:
    net, images = formula_net(), formula_images()
    with torch.no_grad():
        labels = net(images).argmax(1)
    told: list[dict[str, object]] = []
    for norm, levels in CASES:
        attack = AutoAttack(net, norm="Linf" if norm == "linf" else "L2", eps=levels / 255, version="standard", seed=0)
        attack.verbose = False
        found = attack.run_standard_evaluation(images, labels, batch_size=len(images))
        found = found if isinstance(found, torch.Tensor) else found[0]
        with torch.no_grad():
            right = (net(found).argmax(1) == labels).tolist()
        told.append({"norm": norm, "levels": levels, "right": right})
    Path(__file__).with_name("autoattack.json").write_text(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
