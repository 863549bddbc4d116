"""One contender alone: what it leaves in its folder, and how it says no."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import yaml
from huggingface_hub import ModelCard

from lab.training.material import CLASSES, CPU, card, dataset, job, network, recipe
from netversus.errors import CellError, DivergedError, NetversusError, RunFolderError, SpecError, WeightsError
from netversus.lab.training import job as job_module
from netversus.lab.training.distributed import World
from netversus.lab.training.job import Job, spec, train_alone
from netversus.lab.training.model_card import Trained


@pytest.fixture(autouse=True)
def _small_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "load", lambda card, classes, seed: network(seed, classes))


def train(job: Job, said: list[str] | None = None) -> Trained:
    lines = [] if said is None else said
    return train_alone(job, CPU, World(), say=lines.append, progressed=lambda *_: None)


def test_it_leaves_weights_and_a_card_and_nothing_else(tmp_path: Path):
    done = job(tmp_path / "out")
    trained = train(done)
    assert sorted(path.name for path in done.folder.iterdir()) == ["README.md", "model.safetensors"]
    state = safetensors.torch.load_file(done.weights)
    assert {name: t.shape for name, t in state.items()} == {n: t.shape for n, t in network().state_dict().items()}
    assert (trained.steps, trained.samples, trained.images) == (15, 120, 12)


def test_the_weights_are_those_that_were_judged(tmp_path: Path):
    done = job(tmp_path / "out")
    trained = train(done)
    model = network()
    model.load_state_dict(safetensors.torch.load_file(done.weights))
    test = done.data.split("test")
    from netversus.lab.training.judge import pixels

    inputs = (pixels(test, done.card.preprocessing).float() / 255 - 0.5) / 0.5
    with torch.inference_mode():
        correct = int((model.eval()(inputs).argmax(1).numpy() == test.labels).sum())
    assert trained.correct == correct


def test_the_card_is_one_that_the_hub_reads(tmp_path: Path):
    done = job(tmp_path / "out")
    trained = train(done)
    text = (done.folder / "README.md").read_text()
    read = ModelCard(text)
    assert read.data.library_name == "torchvision"
    (result,) = read.data.eval_results
    assert result.metric_value == pytest.approx(trained.top1)
    assert result.dataset_split == "test"
    assert yaml.safe_load(text.split("---")[1])["pipeline_tag"] == "image-classification"
    for part in ("| seed | 3 |", "| mixup | 0.4 |", "## Limits", spec(done), "class 0, class 1"):
        assert part in text


def test_without_a_test_split_it_is_trained_and_not_judged(tmp_path: Path):
    data = dataset()
    trained = train(job(tmp_path, data=replace(data, splits={"train": data.split("train")})))
    assert trained.top1 is None
    assert "no test split" in (tmp_path / "README.md").read_text()


def test_done_is_done(tmp_path: Path):
    said: list[str] = []
    first = train(job(tmp_path))
    stamp = (tmp_path / "model.safetensors").stat().st_mtime_ns
    assert train(job(tmp_path), said) == first
    assert said == ["it is trained already"]
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == stamp


@pytest.mark.parametrize("changed", [{"seed": 4}, {"recipe": recipe(batch=10)}, {"card": card(digest="other")}])
def test_another_training_is_not_written_over(tmp_path: Path, changed: dict[str, Any]):
    train(job(tmp_path))
    with pytest.raises(RunFolderError, match="comes from another training"):
        train(job(tmp_path, **changed))


def interrupted(job: Job, at: int, world: World | None = None) -> None:
    def progressed(done: int, of: int, loss: float) -> None:
        if done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_alone(job, CPU, world or World(), say=lambda _: None, progressed=progressed)


@pytest.fixture
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_module, "CHECKPOINT_SECONDS", 0.0)


@pytest.mark.usefixtures("_eager")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"seed": 4}, r"seed 3 \(now 4\)"),
        ({"recipe": recipe(batch=10)}, r"batch 8 \(now 10\)"),
        ({"recipe": recipe(weight_decay=0.1)}, r"weight_decay 0.05 \(now 0.1\)"),
    ],
)
def test_a_training_goes_on_under_its_own_settings_only(tmp_path: Path, changed: dict[str, Any], said: str):
    interrupted(job(tmp_path), at=6)
    with pytest.raises(RunFolderError, match=said):
        train(job(tmp_path, **changed))
    lines: list[str] = []
    train(job(tmp_path), lines)
    assert lines == ["going on after step 5 of 15"]


@pytest.mark.usefixtures("_eager")
def test_another_number_of_processes_is_another_training(tmp_path: Path):
    interrupted(job(tmp_path), at=6)
    with pytest.raises(RunFolderError, match=r"processes 1 \(now 2\)"):
        job_module.Checkpoints(tmp_path / "state", job(tmp_path).config(World(0, 2))).newest(CPU)


@pytest.mark.usefixtures("_eager")
def test_a_damaged_checkpoint_costs_steps_and_not_the_result(tmp_path: Path):
    train(job(tmp_path / "whole"))
    broken = job(tmp_path / "broken")
    interrupted(broken, at=8)
    newest = max((broken.folder / "state").glob("*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    said: list[str] = []
    train(broken, said)
    assert "is damaged" in said[0]
    assert said[1] == "going on after step 6 of 15"
    assert broken.weights.read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_classes_without_images_are_said_before_the_training(tmp_path: Path):
    said: list[str] = []
    train(job(tmp_path, data=dataset([0, 0, 0, 1, 2, 2] * 4 + [3])), said)
    assert said == ["classes that have one image each: class 3"]
    said.clear()
    train(job(tmp_path / "other", data=dataset([0, 1, 2])), said)
    assert said == [
        "classes that have no image to learn from and cannot be learned: class 3",
        "classes that have one image each: class 0, class 1, class 2",
    ]


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"card": card(weights="V1")}, WeightsError, "has weights already; .*write resnet18@scratch"),
        ({"card": card(source="py", name="py:mine:net")}, SpecError, "cannot be named by a file"),
        ({"data": dataset([0, 1, 2, CLASSES])}, CellError, "the labels go up to 4"),
        ({"recipe": recipe(learning_rate=1e30, optimizer="sgd", warmup=0, clip=0, ema=0)}, DivergedError, "nan|inf"),
    ],
)
def test_what_cannot_be_trained_is_one_line(
    tmp_path: Path, changed: dict[str, Any], error: type[NetversusError], said: str
):
    plain = {"recipe": recipe(mixup=0, cutmix=0)}
    with pytest.raises(error, match=said) as caught:
        train(job(tmp_path, **(plain | changed)))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "model.safetensors").exists()


def test_a_batch_that_does_not_fit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def greedy(card: object, classes: int, seed: int) -> torch.nn.Module:
        model = network(seed, classes)
        # 2^50 bytes: PyTorch's own message for a CPU, not one made up here.
        model.register_forward_pre_hook(lambda *_: torch.empty(2**50, dtype=torch.uint8) and None)
        return model

    monkeypatch.setattr(job_module, "load", greedy)
    with pytest.raises(CellError, match=r"a batch of 8 images does not fit in memory \(ask for batch=4\)"):
        train(job(tmp_path))


def test_any_other_error_is_not_taken_for_a_lack_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def wrong(card: object, classes: int, seed: int) -> torch.nn.Module:
        return torch.nn.Linear(3, classes)

    monkeypatch.setattr(job_module, "load", wrong)
    with pytest.raises(RuntimeError, match="shapes"):
        train(job(tmp_path, recipe=recipe(mixup=0, cutmix=0)))


def test_the_spec_tells_architecture_and_preprocessing(tmp_path: Path):
    prepared = replace(card().preprocessing, resize=18, interpolation="bicubic", std=(0.25, 0.5, 0.5))
    told = spec(job(tmp_path, card=card(source="timm", architecture="resnet50", preprocessing=prepared)))
    path, _, query = told.partition("?")
    assert path == f"file:{tmp_path}/model.safetensors"
    assert dict(pair.split("=") for pair in query.split("&")) == {
        "arch": "timm:resnet50", "crop": "16", "resize": "18", "interpolation": "bicubic", "mean": "0.5,0.5,0.5",
        "std": "0.25,0.5,0.5",
    }  # fmt: skip


def test_the_configuration_is_json(tmp_path: Path):
    assert json.loads(json.dumps(job(tmp_path).config(World()))) == job(tmp_path).config(World())
