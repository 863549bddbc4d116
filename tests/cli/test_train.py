"""`netversus train`: from a name to a contender that `compare` takes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data

TINY = "timm:test_resnet"
QUICK = ("--set", "epochs=0.1", "--set", "batch=32")


def test_what_it_wrote_is_a_contender_with_the_same_preprocessing(netversus, tmp_path: Path):
    ended = netversus("train", TINY, "--out", "trained", *QUICK)
    assert ended.code == 0, ended.err
    (line,) = (line for line in ended.out.splitlines() if line.startswith("as a contender: "))
    data = open_data("digits").card
    card = resolve(line.removeprefix("as a contender: "), data)
    assert card.preprocessing == resolve(TINY, data).preprocessing
    assert not card.untrained
    assert load(card, classes=10, seed=0).num_classes == 10
    assert (tmp_path / "trained" / "README.md").read_text().startswith("---\n")


def test_a_network_of_another_shape_comes_back_in_that_shape(netversus, tmp_path: Path):
    """Small stem and cut: the file alone would not say so."""
    ended = netversus("train", f"{TINY}?stages=2&stem=small", "--out", "trained", *QUICK)
    assert ended.code == 0, ended.err
    (line,) = (line for line in ended.out.splitlines() if line.startswith("as a contender: "))
    assert "stages=2&stem=small" in line
    model = load(resolve(line.removeprefix("as a contender: "), open_data("digits").card), classes=10, seed=0)
    assert not [name for name in model.state_dict() if name.startswith(("layer3", "layer4"))]
    assert "stages=2&stem=small" in (tmp_path / "trained" / "README.md").read_text()


def test_its_accuracy_is_what_compare_measures_of_the_file(netversus):
    ended = netversus("train", TINY, "--out", "trained", "--set", "epochs=3")
    (line,) = (line for line in ended.out.splitlines() if line.startswith("as a contender: "))
    (said,) = (line for line in ended.out.splitlines() if line.startswith("top-1 on the test split"))
    spec = line.removeprefix("as a contender: ")
    compared = netversus("compare", spec, f"{spec}&resize=32", "--study", "accuracy", "--out", "run")
    assert compared.code == 0, compared.err
    from netversus.api import open_run

    store = open_run("run").store
    cell = next(c for c in store.plan().cells if "resize" not in c.contenders[0])
    sample = store.cell(cell).observations()[cell.contenders[0], "top1"]
    assert f"{100 * sample.values.mean():.1f} %" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((TINY, "--out", "x", "--recipe", "a4"), "there is no recipe 'a4'"),
        ((TINY, "--out", "x", "--set", "epochs"), "--set must be name=value, got 'epochs'"),
        ((TINY, "--out", "x", "--set", "epoch=3"), "did you mean epochs?"),
        ((TINY, "--out", "x", "--set", "batch=0"), "batch: "),
        (("resnet5", "--out", "x"), "resnet50"),
        (("py:tiny_nets:narrow@scratch", "--out", "x"), "cannot be named by a file"),
        ((TINY, "--out", "x", "--data", "nothing"), "no data 'nothing'"),
    ],
)
def test_wrong_use_is_one_line(netversus, arguments: tuple[str, ...], said: str):
    ended = netversus("train", *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1
    assert not Path("x").exists()


def test_a_training_that_diverges_ends_as_incomplete(netversus):
    rate = ("--set", "optimizer=sgd", "--set", "learning_rate=1e30")
    ended = netversus("train", TINY, "--out", "x", *QUICK, *rate)
    assert ended.code == 5
    assert "the loss became" in ended.out


def test_help_names_the_recipes_and_the_settings(netversus):
    ended = netversus("train", "--help")
    assert ended.code == 0
    for word in ("torchvision-v2", "Wightman", "learning_rate", "label_smoothing"):
        assert word in ended.out
