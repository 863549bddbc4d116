"""Train every contender on clean, on poisoned and on wrongly labelled images; try the triggers; ask the defences."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netversus.errors import CellError, OptionError, nearest
from netversus.lab.bench import Bench
from netversus.lab.from_scratch import Lesson, forgotten, taught
from netversus.lab.poison.attacks import Poisoned, find_attack, poisoned
from netversus.lab.poison.noise import ASYMMETRIC, SYMMETRIC, with_wrong_labels
from netversus.lab.training.judge import pixels
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.studies.poisoning import PoisoningOptions, names, steps
from netversus.studies.poisoning.design import (
    BACKDOOR,
    CLEAN,
    DEFENCES,
    NOISE,
    ORIGINAL,
    Condition,
    Result,
    conditions,
    read_result,
    triggered_file,
)
from netversus.studies.poisoning.guards import Guarded, asked
from netversus.studies.poisoning.pictures import strip

SHOWN = 6
_TRAINING = 0.9  # of the time; the rest is judging and defending


@dataclass(frozen=True)
class Images:
    """Both splits as one preprocessing shows them, uint8 (n, 3, h, w), with ids and labels, int64 (n,). `target` is
    the attacker's class, `others` the places of the test images of other classes."""

    train: Tensor
    train_labels: NDArray[np.int64]
    train_ids: tuple[str, ...]
    test: Tensor
    test_labels: NDArray[np.int64]
    test_ids: tuple[str, ...]
    target: int

    @property
    def others(self) -> NDArray[np.int64]:
        """Int64, ascending."""
        return np.flatnonzero(self.test_labels != self.target)


def measure(bench: Bench) -> Iterator[Emission]:
    """The trainings one after the other; then each image's averages over them, which the questions are about.

    Raises:
        OptionError: an attack, a defence, a kind of noise or a class that there is not.
        CellError: the test split has no image of another class than the attacker's.
    """
    _refuse(bench)
    planned = conditions(bench.options)
    shown = {p: _images(bench, p) for p in dict.fromkeys(card.preprocessing for card in bench.contenders)}
    total = len(planned) * len(bench.contenders)
    for number, card in enumerate(bench.contenders):
        images = shown[card.preprocessing]
        yield from _pictures(bench, card, images)
        results = {}
        for place, condition in enumerate(planned):
            done = number * len(planned) + place
            results[condition] = yield from _result(bench, card, condition, images, done, total)
            yield from _single(card, condition, results[condition], images)
        yield from _averages(card, results, images)


def _refuse(bench: Bench) -> None:
    options: PoisoningOptions = bench.options
    for attack in names(options.attacks):
        find_attack(attack)
    for given, known in ((options.defences, DEFENCES), (options.noise, (SYMMETRIC, ASYMMETRIC))):
        for name in names(given):
            if name not in known:
                hint = nearest(name, known) or f"known: {', '.join(known)}"
                raise OptionError(f"poisoning knows no {name!r}", hint=hint)


def _target(bench: Bench) -> int:
    classes = bench.data.card.classes
    if not bench.options.target:
        return 0
    if bench.options.target not in classes:
        raise OptionError(
            f"the data have no class {bench.options.target!r}", hint=nearest(bench.options.target, classes)
        )
    return classes.index(bench.options.target)


def _images(bench: Bench, preprocessing: Preprocessing) -> Images:
    train, test = bench.data.split("train"), bench.data.split("test")
    index = recorded_shuffle(len(test), 0)[: bench.options.images]
    target = _target(bench)
    if (test.labels[index] == target).all() or not (train.labels == target).any():
        raise CellError("a backdoor needs train images of the attacker's class and test images of another")
    return Images(
        train=pixels(train, preprocessing),
        train_labels=train.labels,
        train_ids=train.ids,
        test=pixels(test, preprocessing, index),
        test_labels=test.labels[index],
        test_ids=tuple(test.ids[i] for i in index),
        target=target,
    )


def _pictures(bench: Bench, card: ContenderCard, images: Images) -> Iterator[Artifact]:
    """Some test images, as they are and with each trigger."""
    some = images.test[torch.from_numpy(images.others[:SHOWN])]
    yield Artifact(ORIGINAL, strip(some), card.name)
    for name in names(bench.options.attacks):
        yield Artifact(triggered_file(name), strip(find_attack(name).trigger(some)), card.name)


def _result(
    bench: Bench, card: ContenderCard, condition: Condition, images: Images, done: int, total: int
) -> Generator[Progress, None, Result]:
    """What came out of a training; what is kept is not trained again."""
    kept = bench.kept(card.name, condition.file)
    if kept is not None:
        yield Progress(done + 1, total, noted("trainings"))
        return read_result(kept)
    taken = _data(bench, condition, images)
    lesson = Lesson(condition.name, taken.images, taken.labels, bench.seed, steps(bench.options, len(taken.labels)))
    model = yield from _told(taught(bench, card, lesson, bench.options), lesson.steps, done, total)
    guarded = Guarded(bench, card, model, images.test, images.test_labels, images.target)
    result = _judged(guarded, condition, taken, images)
    bench.keep(Artifact(condition.file, result.content(), card.name))
    forgotten(bench, card, condition.name)
    yield Progress(done + 1, total, noted("trainings"))
    return result


def _told(
    training: Generator[int, None, nn.Module], count: int, done: int, total: int
) -> Generator[Progress, None, nn.Module]:
    """A training whose steps are told as progress."""
    while True:
        try:
            step = next(training)
        except StopIteration as end:
            model: nn.Module = end.value
            return model
        yield Progress(done + _TRAINING * step / count, total, noted("trainings"))


def _data(bench: Bench, condition: Condition, images: Images) -> Poisoned:
    """The train split as somebody left it."""
    labels, ids = images.train_labels, images.train_ids
    if condition.kind == NOISE:
        wrong = with_wrong_labels(labels, ids, condition.what, condition.rate, bench.classes, bench.seed)
        return Poisoned(images.train, *wrong)
    if condition.kind == BACKDOOR:
        attack = find_attack(condition.what)
        return poisoned(images.train, labels, ids, attack, images.target, condition.rate, bench.seed)
    return Poisoned(images.train, labels, np.empty(0, dtype=np.int64))


def _judged(guarded: Guarded, condition: Condition, taken: Poisoned, images: Images) -> Result:
    answers = guarded.answers(images.test)
    top1, anyway = answers == images.test_labels, answers[images.others] == images.target
    tried = {CLEAN: names(guarded.bench.options.attacks), BACKDOOR: (condition.what,), NOISE: ()}[condition.kind]
    others = images.test[torch.from_numpy(images.others)]
    hit = {name: guarded.answers(find_attack(name).trigger(others)) == images.target for name in tried}
    found, accused = asked(guarded, condition, taken) if condition.kind != NOISE else ({}, {})
    success = {name: tuple(map(int, each)) for name, each in hit.items()}
    return Result(len(taken.index), tuple(map(int, top1)), success, tuple(map(int, anyway)), found, accused)


def _single(card: ContenderCard, condition: Condition, result: Result, images: Images) -> Iterator[Observations]:
    """Each image under each training, and each defence."""
    others = [images.test_ids[i] for i in images.others]
    units = tuple(f"{condition.name}: {unit}" for unit in images.test_ids)
    yield Observations(card.name, "top1_by_training", units, tuple(map(float, result.top1)))
    units = tuple(f"{condition.name}: {unit}" for unit in others)
    yield Observations(card.name, "target_without_trigger", units, tuple(map(float, result.anyway)))
    for attack, hits in result.success.items():
        units = tuple(f"{condition.name}, {attack}: {unit}" for unit in others)
        yield Observations(card.name, "success_by_training", units, tuple(map(float, hits)))
    for metric, rates in (("found", result.found), ("falsely_accused", result.accused)):
        if rates:
            units = tuple(f"{defence}, {condition.name}" for defence in rates)
            yield Observations(card.name, metric, units, tuple(rates.values()))


def _averages(card: ContenderCard, results: Mapping[Condition, Result], images: Images) -> Iterator[Observations]:
    """Each image once, averaged over the trainings: an image under several attacks is still one image."""
    backdoors = {c: r for c, r in results.items() if c.kind == BACKDOOR}
    noisy = [r for c, r in results.items() if c.kind == NOISE]
    hits = np.mean([r.success[c.what] for c, r in backdoors.items()], axis=0)
    units = tuple(images.test_ids[i] for i in images.others)
    yield Observations(card.name, "attack_success", units, tuple(hits.tolist()))
    for metric, several in (("poisoned_top1", list(backdoors.values())), ("noisy_top1", noisy)):
        if several:
            right = np.mean([r.top1 for r in several], axis=0)
            yield Observations(card.name, metric, images.test_ids, tuple(right.tolist()))
    clean = next(r for c, r in results.items() if c.kind == CLEAN)
    yield Observations(card.name, "clean_top1", images.test_ids, tuple(map(float, clean.top1)))
