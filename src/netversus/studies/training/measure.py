"""Train the contenders in turns, round by round, and measure the learning curve between the rounds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from netversus.lab.bench import Bench
from netversus.lab.timing.energy import Meter, find_meters
from netversus.lab.training.activity import watched
from netversus.lab.training.checkpoint import Pace
from netversus.lab.training.classes import scarce_classes
from netversus.lab.training.distributed import World
from netversus.lab.training.judge import answers
from netversus.lab.training.peers import accompanied, shared
from netversus.lab.training.room import fitting
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress
from netversus.studies.training import NOTES, TARGET, WEIGHTS
from netversus.studies.training.budget import steps_for
from netversus.studies.training.learner import Learner, Task, make_learner, rounds
from netversus.studies.training.peer import JOB, Job
from netversus.studies.training.views import View, Views, views

CHECKPOINT_SECONDS = 60.0  # writing one costs seconds for a large contender; at most this much is trained twice
PEER = "netversus.studies.training.peer"


@dataclass(frozen=True)
class Group:
    """Contenders that learn in turns from a `share` of the images, as each preprocessing shows them."""

    share: float
    tasks: tuple[Task, ...]
    shown: Mapping[Preprocessing, Views]


def measure(bench: Bench) -> Iterator[Emission]:
    """The training; then, where it is asked for, one from each smaller share of the images."""
    groups = _groups(bench)
    for task in groups[0].tasks:
        train = groups[0].shown[task.card.preprocessing].train
        if said := scarce_classes(train.labels.numpy(), bench.data.card.classes):
            yield Artifact(NOTES, "\n".join(said).encode(), task.card.name)
        if bench.options.target is not None:
            yield Observations(task.card.name, TARGET, (TARGET,), (bench.options.target,))
    with _together(bench, groups) as world:
        yield from _main(bench, groups[0], world)
        for group in groups[1:]:
            yield from _share(bench, group, world)


def _main(bench: Bench, group: Group, world: World) -> Iterator[Emission]:
    """Each round every contender takes the same share of its steps; who goes first alternates."""
    learners = _learners(bench, group, world)
    meters = _meters(bench)
    pace, last = Pace(CHECKPOINT_SECONDS), 0
    for number, learner, stop in rounds(learners, bench.options.rounds):
        if number > last and pace.due():
            pace.keep(lambda: _save(bench, learners))
        last = number
        shown = group.shown[learner.trainee.preprocessing]
        yield from _round(learner, stop, f"round-{number + 1:03d}", meters)
        yield from _curve(learner, shown)
    if pace.due() or bench.options.shares:
        _save(bench, learners)
    for learner in learners:
        yield from _finish(learner, group.shown[learner.trainee.preprocessing].train)


def _share(bench: Bench, group: Group, world: World) -> Iterator[Emission]:
    """A training from a share of the images, as long as the whole one, and how good it was in the end."""
    learners = _learners(bench, group, world)
    pace, last = Pace(CHECKPOINT_SECONDS), 0
    for number, learner, stop in rounds(learners, bench.options.rounds):
        if number > last and pace.due():
            pace.keep(lambda: _save(bench, learners))
        last = number
        yield from _share_round(learner, stop, group.share, number)
    for learner in learners:
        shown = group.shown[learner.trainee.preprocessing]
        for split, view in (("train", shown.train), ("test", shown.test)):
            top1 = _accuracy(learner, view, view.curve)
            yield Observations(learner.name, f"fraction_{split}_top1", (_unit(group.share),), (top1,))


def _share_round(learner: Learner, stop: int, share: float, number: int) -> Iterator[Emission]:
    """The steps of one round on a share of the images: the seconds that an image took."""
    trainee = learner.trainee
    images = (stop - trainee.done) * trainee.recipe.batch
    begin = time.perf_counter()
    for _ in _steps(learner, stop):
        yield Progress(
            trainee.done, trainee.steps, noted("steps of {contender}, {n}", contender=learner.name, n=f"{share:g}")
        )
    seconds = time.perf_counter() - begin
    unit = f"{_unit(share)}/round-{number + 1:03d}"
    yield Observations(learner.name, "fraction_train_time", (unit,), (seconds / images,))


def _unit(share: float) -> str:
    return f"fraction-{share:g}"


def _save(bench: Bench, learners: list[Learner]) -> None:
    bench.flush()  # a resumed trainee takes its earlier rounds for observed
    for learner in learners:
        learner.save()


def _groups(bench: Bench) -> list[Group]:
    """All that is trained: from all images, and from the shares of them that are not done yet."""
    whole = _group(bench, bench.contenders, 1.0, {})
    steps = {task.card.name: task.steps for task in whole.tasks}
    groups = [whole]
    for share in bench.options.shares:
        cards = [c for c in bench.contenders if _unit(share) not in bench.stored(c.name, "fraction_test_top1")]
        groups += [_group(bench, cards, share, steps)] if cards else []
    return groups


def _group(bench: Bench, cards: Sequence[ContenderCard], share: float, steps: Mapping[str, int]) -> Group:
    """Contenders that learn from a share of the images: as many steps as from all, so that what differs is the data."""
    shown = {p: views(bench, p, share) for p in dict.fromkeys(card.preprocessing for card in cards)}
    tasks = tuple(
        Task(
            card=card,
            options=bench.options.model_dump(mode="json"),
            seed=bench.seed,
            classes=bench.classes,
            steps=steps[card.name] if steps else steps_for(bench, card, shown[card.preprocessing].train),
            share=share,
            folder=bench.scratch(card.name) / ("" if share == 1 else _unit(share)),
        )
        for card in cards
    )
    return Group(share, tasks, shown)


@contextmanager
def _together(bench: Bench, groups: Sequence[Group]) -> Iterator[World]:
    """The world of the training: of one process, or of those that the options ask for. The others are told in a file
    what is trained, and find the images, decoded once, in files beside it."""
    processes = bench.options.processes
    if processes == 1:
        yield World()
        return
    folder = bench.scratch(bench.contenders[0].name) / "peers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = Job(
        groups=tuple(_with_data(group, folder, number) for number, group in enumerate(groups)),
        processes=processes,
        rounds=bench.options.rounds,
        threads=shared(torch.get_num_threads(), processes),
        device=str(bench.device),
    )
    file = folder / "job.json"
    file.write_bytes(JOB.dump_json(job))
    try:
        with accompanied(processes, PEER, file, bench.device) as world:
            yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _with_data(group: Group, folder: Path, number: int) -> tuple[Task, ...]:
    """A group's tasks with the file of their images."""
    files = {}
    for place, (preprocessing, shown) in enumerate(group.shown.items()):
        files[preprocessing] = folder / f"images-{number}-{place}.safetensors"
        tensors = {"images": shown.train.images.cpu().contiguous(), "labels": shown.train.labels.contiguous()}
        safetensors.torch.save_file(tensors, files[preprocessing])
    return tuple(replace(task, data=files[task.card.preprocessing]) for task in group.tasks)


def _learners(bench: Bench, group: Group, world: World) -> list[Learner]:
    learners = []
    for task in group.tasks:
        train = group.shown[task.card.preprocessing].train
        with fitting(bench.options.batch), world.together():
            model = bench.model(task.card, train=True)
            learners.append(make_learner(task, model, train.images, train.labels, bench.device, world))
    return learners


def _meters(bench: Bench) -> tuple[Meter, ...]:
    """The meters of energy of all that trains; none where several accelerators do, of which one would be metered."""
    if bench.options.processes > 1 and bench.device.type == "cuda":
        return ()
    return find_meters(bench.device)


def _steps(learner: Learner, stop: int) -> Iterator[float]:
    """The loss of each step up to `stop`."""
    with fitting(learner.trainee.recipe.batch):
        yield from learner.trainee.train(learner.images, learner.labels, learner.order, stop)


def _round(learner: Learner, stop: int, unit: str, meters: Sequence[Meter]) -> Iterator[Emission]:
    """The steps of one round: the seconds that an image took, and its joules where they are metered, and the means of
    the loss, of its change from step to step, and of the gradient's norm."""
    trainee = learner.trainee
    images = (stop - trainee.done) * trainee.recipe.batch
    losses, norms = [], []
    before, begin = [meter.joules() for meter in meters], time.perf_counter()
    for loss in _steps(learner, stop):
        losses.append(loss)
        norms.append(trainee.gradient_norm)
        yield Progress(trainee.done, trainee.steps, noted("steps of {contender}", contender=trainee.name))
    seconds = time.perf_counter() - begin
    yield Observations(learner.name, "train_time", (unit,), (seconds / images,))
    if meters:
        joules = sum(meter.spent(then, meter.joules()) for meter, then in zip(meters, before, strict=True))
        yield Observations(learner.name, "train_energy", (unit,), (joules / images,))
    yield Observations(learner.name, "train_loss", (learner.unit,), (float(np.mean(losses)),))
    yield Observations(learner.name, "gradient_norm", (learner.unit,), (float(np.mean(norms)),))
    if len(losses) > 1:
        change = float(np.mean(np.abs(np.diff(losses))))
        yield Observations(learner.name, "loss_change", (learner.unit,), (change,))


def _curve(learner: Learner, shown: Views) -> Iterator[Emission]:
    """A point of the learning curve: top-1 on the same images of each split, dead units, and wrong labels learned."""
    dead = None
    with watched(learner.trainee.judged) as activity:
        yield _top1(learner, "curve_train_top1", shown.train)
        dead = activity.dead()
    yield _top1(learner, "curve_test_top1", shown.test)
    if dead is not None:
        yield Observations(learner.name, "dead_units", (learner.unit,), (dead,))
    if len(shown.train.wrong):
        wrong = shown.train.wrong[: len(shown.train.curve)]
        yield Observations(learner.name, "memorised", (learner.unit,), (_accuracy(learner, shown.train, wrong),))
    if shown.validation is not None:
        score = _accuracy(learner, shown.validation, np.arange(len(shown.validation.labels)))
        yield Observations(learner.name, "curve_validation_top1", (learner.unit,), (score,))
        if score > learner.best_score:
            learner.best_score = score
            learner.best = {k: v.detach().clone() for k, v in learner.trainee.judged.state_dict().items()}


def _top1(learner: Learner, metric: str, view: View) -> Observations:
    return Observations(learner.name, metric, (learner.unit,), (_accuracy(learner, view, view.curve),))


def _accuracy(learner: Learner, view: View, index: NDArray[np.int64]) -> float:
    return float(np.mean(_correct(learner, view, index)))


def _correct(learner: Learner, view: View, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Whether each image is given its label in eval mode: float64 of 0 and 1, shape (len(index),)."""
    trainee = learner.trainee
    said = answers(trainee.judged, view.images, index, trainee.preprocessing, trainee.device)
    return np.asarray(said == view.labels[torch.from_numpy(index)].numpy(), dtype=np.float64)


def _finish(learner: Learner, train: View) -> Iterator[Emission]:
    """How well the images of the train curve are fitted in the end, image by image, and the weights: those of the
    round that was best on the images held out, where some are."""
    judged = learner.trainee.judged
    if learner.best:
        judged.load_state_dict(learner.best)
    ids = tuple(train.ids[i] for i in train.curve)
    yield Observations(learner.name, "fit_top1", ids, tuple(_correct(learner, train, train.curve).tolist()))
    tensors = {name: tensor.contiguous() for name, tensor in judged.state_dict().items()}
    yield Artifact(WEIGHTS, safetensors.torch.save(tensors), learner.name)
