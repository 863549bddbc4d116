"""The loop: a resumed training is the undisturbed one bit for bit, and what goes wrong is said."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch

from lab.training.material import CLASSES, images_and_labels, network, recipe, trainee
from netversus.errors import CellError, DivergedError, OptionError
from netversus.lab.training.distributed import World, check_shares
from netversus.lab.training.order import sample_order
from netversus.lab.training.trainee import Trainee

STEPS = 15
VARIANTS: dict[str, dict[str, Any]] = {
    "everything": {},
    "sgd, steps": {"optimizer": "nesterov", "schedule": "step", "learning_rate": 0.05},
    "one cycle": {"schedule": "onecycle", "optimizer": "sgd", "learning_rate": 0.05},
    "one cycle, adamw": {"schedule": "onecycle"},
    "lamb, bce": {"optimizer": "lamb", "loss": "bce"},
    "muon": {"optimizer": "muon", "learning_rate": 0.02},
    "sharpness": {"sharpness": 0.05},
    "bfloat16": {"precision": "bfloat16", "channels_last": True},
    "randaugment": {"augment": "crop-flip", "auto_augment": "rand-m7-mstd0.5-inc1"},
    "trivial augment": {"auto_augment": "ta_wide", "repeated": 4},
}


def run(learner: Trainee, until: int = STEPS, seed: int = 3) -> list[float]:
    images, labels = images_and_labels()
    order = sample_order(len(images), STEPS * learner.recipe.batch, seed, learner.recipe.repeated)
    return list(learner.train(images, labels, order, until))


def through_a_file(state: dict[str, Any]) -> dict[str, Any]:
    file = io.BytesIO()
    torch.save(state, file)
    return torch.load(io.BytesIO(file.getvalue()), weights_only=True)


def bits(learner: Trainee) -> dict[str, bytes]:
    """All tensors that the next step depends on."""
    found: dict[str, bytes] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, torch.Tensor):
            found[path] = value.numpy().tobytes()
        elif isinstance(value, dict):
            for key, each in value.items():
                walk(f"{path}/{key}", each)
        elif isinstance(value, list | tuple):
            for key, each in enumerate(value):
                walk(f"{path}/{key}", each)
        else:
            found[path] = repr(value).encode()

    walk("", learner.state())
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_training_that_was_broken_off_twice_ends_bit_for_bit_as_an_undisturbed_one(variant: str):
    settings = recipe(**VARIANTS[variant])
    whole = trainee(settings)
    losses = run(whole)
    state, seen = None, []
    for stop in (4, 11, STEPS):
        torch.rand(stop)  # the process around it has drawn something else each time
        part = trainee(settings, model=network(seed=stop))
        if state is not None:
            part.restore(state)
        else:
            part = trainee(settings)
        seen += run(part, stop)
        state = through_a_file(part.state())
    assert seen == losses
    assert bits(part) == bits(whole)


@pytest.mark.parametrize("lost", ["average", "optimizer", "buffers", "done"])
def test_without_any_one_part_of_the_state_the_end_is_another(lost: str):
    """The comparison above can fail: a state that lacks something shows."""
    whole = trainee()
    run(whole)
    first = trainee()
    run(first, 7)
    state = through_a_file(first.state())
    fresh = trainee().state()
    if lost == "buffers":
        state["model"] |= {k: v for k, v in fresh["model"].items() if "running" in k}
    elif lost == "done":
        state["done"] = 6
    else:
        state[lost] = fresh[lost]
    second = trainee()
    second.restore(state)
    run(second)
    assert bits(second) != bits(whole)


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
def test_one_cycle_s_momentum_is_part_of_the_state():
    settings = recipe(schedule="onecycle")
    whole, first, second = trainee(settings), trainee(settings), trainee(settings)
    run(whole)
    run(first, 7)
    state = through_a_file(first.state())
    state["schedule"] = second.state()["schedule"]
    second.restore(state)
    run(second)
    assert bits(second) != bits(whole)


def test_another_seed_ends_elsewhere():
    one, other = trainee(seed=3), trainee(seed=4)
    run(one)
    run(other)
    assert bits(one) != bits(other)


def test_who_is_trained_beside_it_changes_nothing():
    alone, taking_turns, beside = trainee(), trainee(), trainee(recipe(batch=10), model=network(seed=9))
    run(alone)
    for stop in range(1, STEPS + 1):
        run(taking_turns, stop)
        run(beside, min(stop, 12))
    assert bits(taking_turns) == bits(alone)


def test_it_learns():
    learner = trainee(recipe(mixup=0, cutmix=0, erasing=0, learning_rate=0.02, ema=0))
    losses = run(learner)
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.1
    assert learner.gradient_norm > 0


def test_one_step_is_the_textbook_s():
    """Against torch's own optimiser on the same images, without anything on top."""
    plain = recipe(
        augment="none", mixup=0, cutmix=0, erasing=0, ema=0, first_size=1, clip=0, optimizer="sgd", momentum=0,
        learning_rate=0.1, weight_decay=0, warmup=0, schedule="constant", label_smoothing=0,
    )  # fmt: skip
    model, reference = network(), network()
    for each in (model, reference):
        each[3].p = 0.0
    images, labels = images_and_labels()
    order = sample_order(len(images), STEPS * 8, 3)
    loss = next(iter(trainee(plain, model=model).train(images, labels, order, 1)))
    inputs = (images[order[:8]].float() / 255 - 0.5) / 0.5
    expected = torch.nn.functional.cross_entropy(reference(inputs), labels[order[:8]])
    expected.backward()
    torch.optim.SGD(reference.parameters(), lr=0.1).step()
    assert loss == pytest.approx(float(expected.detach()), rel=1e-6)
    for ours, theirs in zip(model.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(ours, theirs, atol=1e-7)


def test_a_rate_that_diverges_is_named_with_its_step():
    learner = trainee(recipe(optimizer="sgd", learning_rate=1e30, warmup=0, clip=0, ema=0))
    with pytest.raises(DivergedError, match=r"net: the loss became (nan|inf) at step \d+ of 15"):
        run(learner)


def test_labels_beyond_the_head_are_named():
    learner = trainee(recipe(mixup=0, cutmix=0), model=network(classes=CLASSES - 1))
    with pytest.raises(CellError, match=r"outputs of shape \(8, 3\), the labels go up to 3"):
        run(learner)


def test_a_batch_larger_than_the_data_is_filled_with_further_epochs():
    learner = trainee(recipe(batch=100), steps=2)
    images, labels = images_and_labels()
    assert len(list(learner.train(images, labels, sample_order(len(images), 200, 3), 2))) == 2


@pytest.mark.parametrize(
    ("batch", "size", "mixed", "fits"),
    [(8, 1, True, True), (7, 1, True, False), (7, 1, False, True), (8, 2, True, True), (6, 2, True, False),
     (6, 2, False, True), (7, 2, False, False), (2, 2, False, False)],
)  # fmt: skip
def test_a_batch_that_cannot_be_shared_out_is_refused(batch: int, size: int, mixed: bool, fits: bool):
    if fits:
        check_shares(batch, World(0, size), mixed=mixed)
    else:
        with pytest.raises(OptionError, match=f"a batch of {batch} cannot be shared among {size}"):
            check_shares(batch, World(0, size), mixed=mixed)


def test_the_average_of_the_weights_is_what_is_judged():
    learner = trainee()
    run(learner, 5)
    assert learner.judged is not learner.model
    assert trainee(recipe(ema=0)).judged
    expected = {k: v.clone() for k, v in learner.judged.state_dict().items()}
    run(learner, 6)
    decay = 1 - (1 + 5) ** (-2 / 3)  # timm's warm-up at its sixth step, below the recipe's 0.9
    for name, value in learner.model.state_dict().items():
        if value.is_floating_point():
            moved = decay * expected[name] + (1 - decay) * value
            assert torch.allclose(learner.judged.state_dict()[name], moved, atol=1e-6), name
