"""Images and seconds until both default contenders know 98 % of the test digits, under the default recipe.

The peer is the other contender: the same images in the same order, in turns, an epoch at a time. Every epoch from the
fifth is judged on the whole test split, until both are there.

    python benchmarks/digits_to_98.py [--epochs 10] [--contenders A B]
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from record import record

from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.training.initial import start_as_identity
from netversus.lab.training.judge import answers, pixels
from netversus.lab.training.order import sample_order
from netversus.lab.training.recipe import make_recipe
from netversus.lab.training.trainee import Trainee

TARGET, JUDGED_FROM = 0.98, 5
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--contenders", nargs=2, default=["resnet50", "resnet101"])
    parser.add_argument("--precision", default="float32")
    given = parser.parse_args()
    data = open_data("digits")
    train, test = data.split("train"), data.split("test")
    recipe = make_recipe({"epochs": given.epochs, "precision": given.precision})
    steps = given.epochs * len(train) // recipe.batch
    cards = [resolve(name, data.card) for name in given.contenders]
    shown, judged = pixels(train, cards[0].preprocessing), pixels(test, cards[0].preprocessing)
    order = sample_order(len(train), steps * recipe.batch, 0)
    trainees = []
    for card in cards:
        model = load(card, classes=10, seed=0)
        start_as_identity(model)
        trainees.append(Trainee(card.name, model, card.preprocessing, recipe, 0, steps, CPU, 10))
    seconds = dict.fromkeys(given.contenders, 0.0)
    curve: dict[str, list[tuple[int, float, float]]] = {name: [] for name in given.contenders}
    begin = time.perf_counter()
    for epoch in range(1, given.epochs + 1):
        for trainee in trainees:
            start = time.perf_counter()
            for _ in trainee.train(shown, torch.from_numpy(train.labels), order, round(steps * epoch / given.epochs)):
                pass
            seconds[trainee.name] += time.perf_counter() - start
            if epoch >= JUDGED_FROM:
                said = answers(trainee.judged, judged, np.arange(len(test)), trainee.preprocessing, CPU)
                point = (trainee.done * recipe.batch, seconds[trainee.name], float((said == test.labels).mean()))
                curve[trainee.name].append(point)
                print(trainee.name, *point, flush=True)
        if all(any(point[2] >= TARGET for point in points) for points in curve.values()):
            break
    elapsed = time.perf_counter() - begin
    reached = {name: next((p for p in points if p[2] >= TARGET), None) for name, points in curve.items()}
    first, second = (reached[name] for name in given.contenders)
    record(
        name="digits_to_98",
        peer=given.contenders[1],
        ratio=first[1] / second[1] if first and second else float("nan"),
        ratio_is=f"seconds of training of {given.contenders[0]} / of {given.contenders[1]} until 98 %",
        better="neither",
        goal="both contenders reach 98 % of the test digits within six minutes",
        met=bool(first and second) and elapsed < 360,
        measured={
            "reached (images, seconds, top-1)": reached,
            "curve (images, seconds, top-1)": curve,
            "seconds in all, with judging": elapsed,
            "settings": f"recipe small over {given.epochs} epochs, {given.precision}, 32 px",
            "test images": len(test),
        },
    )


if __name__ == "__main__":
    main()
