"""The user's own factories: found without being run, then run as they are."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from netversus.errors import SpecError, UsageError, WeightsError
from netversus.lab.contenders.load import load
from netversus.lab.contenders.own_code import find_factory
from netversus.lab.contenders.resolve import resolve
from netversus.records import DataCard, Preprocessing

HEADER = "import torch\nfrom torch import nn\n"
NET = HEADER + "def make(num_classes):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, num_classes))\n"
NUMBER = itertools.count()
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Write a module of a name of its own into the working folder; returns the name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    made: list[str] = []

    def put(source: str, package: str = "") -> str:
        name = f"own_code_{next(NUMBER)}"
        folder = tmp_path / package if package else tmp_path
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(source)
        made.append(f"{package}.{name}" if package else name)
        return made[-1]

    yield put
    for name in made:
        sys.modules.pop(name, None)


def test_a_factory_in_the_working_folder_makes_the_network(write: Write, data_card: DataCard):
    name = write(NET)
    card = resolve(f"py:{name}:make", data_card)
    assert (card.architecture, card.weights, card.head) == (f"{name}:make", "as made", "unknown")
    assert any(f"its digest covers {name}.py and not what that imports" in note for note in card.notes)
    model = load(card, classes=10, seed=0)
    assert not model.training
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_scratch_is_trained_here_from_the_seed(write: Write, data_card: DataCard):
    card = resolve(f"py:{write(NET)}:make@scratch", data_card)
    assert (card.untrained, card.head, card.recipe) == (True, "data", "scratch")
    assert card.preprocessing == Preprocessing(crop=32, resize=None)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = (load(card, classes=10, seed=seed)[1].weight for seed in (4, 4, 5))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_factory_without_a_number_of_classes_is_called_with_nothing(write: Write, data_card: DataCard):
    name = write(HEADER + "def make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 10))\n")
    assert load(resolve(f"py:{name}:make", data_card), classes=10, seed=0)(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_a_class_of_modules_is_a_factory(write: Write, data_card: DataCard):
    source = HEADER + (
        "class Net(nn.Module):\n"
        "    def __init__(self, num_classes=2):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(3, num_classes)\n"
        "    def forward(self, images):\n"
        "        return self.layer(images.mean((2, 3)))\n"
    )
    card = resolve(f"py:{write(source)}:Net", data_card)
    assert load(card, classes=10, seed=0)(torch.zeros(1, 3, 8, 8)).shape == (1, 10)


def test_a_package_without_a_file_of_its_own_holds_modules(write: Write, data_card: DataCard):
    name = write(NET, package="own_code_package")
    assert load(resolve(f"py:{name}:make", data_card), classes=10, seed=0)(torch.zeros(1, 3, 32, 32)).shape == (1, 10)


def test_settings_say_how_the_images_are_prepared(write: Write, data_card: DataCard):
    card = resolve(f"py:{write(NET)}:make?crop=24&mean=0&std=1", data_card)
    assert card.preprocessing == Preprocessing(24, None, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))


def test_the_code_is_not_run_to_find_it_and_is_known_by_its_content(write: Write, tmp_path: Path, data_card: DataCard):
    name = write("raise SystemExit('run')\ndef make(): ...\n")
    before = resolve(f"py:{name}:make", data_card)
    (tmp_path / f"{name}.py").write_text("raise SystemExit('run')\ndef make(): pass\n")
    after = resolve(f"py:{name}:make", data_card)
    assert before.digest != after.digest
    assert resolve(f"py:{name}:make@scratch", data_card).digest != after.digest
    assert name not in sys.modules


def test_what_a_module_takes_from_another_counts_as_its_own(write: Write):
    find_factory(f"{write('from math import sqrt as make')}:make")
    find_factory(f"{write('from math import *')}:make")
    nested = write("if True:\n    make = dict")
    find_factory(f"{nested}:make")
    find_factory("torchvision.models:resnet18")


@pytest.mark.parametrize(
    ("source", "factory", "says", "hint"),
    [
        ("def make(): ...", "mkae", "defines no 'mkae'", "did you mean make?"),
        ("def make(:", "make", "is not valid Python: line 1", ""),
        ("x = 1\0", "make", "is not valid Python", ""),
    ],
)
def test_a_module_that_lacks_the_factory_is_one_line(write: Write, source: str, factory: str, says: str, hint: str):
    with pytest.raises(SpecError) as caught:
        find_factory(f"{write(source)}:{factory}")
    assert says in str(caught.value)
    assert caught.value.hint == hint
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("no_such_module:make", "there is no module 'no_such_module'"),
        ("torchvision.no_such:make", "there is no module 'torchvision.no_such'"),
        ("json.decoder.deeper:make", "there is no module 'json.decoder.deeper'"),
        ("empty_folder:make", "is a folder without code"),
        ("sys:exit", "there is no module 'sys'"),
    ],
)
def test_a_module_that_is_not_there_is_one_line(target: str, says: str, tmp_path: Path, monkeypatch):
    (tmp_path / "empty_folder").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=says) as caught:
        find_factory(target)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def make():\n    return 'a network'\n", "must return a torch.nn.Module, it returned str"),
        ("def make():\n    raise KeyError('no such file\\nsecond line')\n", "make failed: KeyError: "),
        ("def make(size):\n    ...\n", "make failed: TypeError: "),
        ("import no_such_module\ndef make(): ...\n", "make failed: ModuleNotFoundError: "),
        ("from math import *\n", "make failed: AttributeError: "),
        ("make = 3\n", "make failed: TypeError: "),
        ("import sys\ndef make():\n    sys.exit(0)\n", "make failed: SystemExit: 0"),
    ],
)
def test_a_factory_that_fails_is_one_line(write: Write, source: str, says: str, data_card: DataCard):
    card = resolve(f"py:{write(source)}:make", data_card)
    with pytest.raises(UsageError) as caught:
        load(card, classes=10, seed=0)
    assert isinstance(caught.value, WeightsError)
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_factory_that_says_why_in_our_words_is_heard(write: Write, data_card: DataCard):
    name = write("from netversus.errors import WeightsError\ndef make():\n    raise WeightsError('mine')\n")
    with pytest.raises(WeightsError, match=r"^mine$"):
        load(resolve(f"py:{name}:make", data_card), classes=10, seed=0)


def sized(outputs: int) -> str:
    return HEADER + f"def make():\n    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, {outputs}))\n"


def test_a_thousand_outputs_are_read_as_imagenets_where_the_data_are_named_so(write: Write, data_card: DataCard):
    birds = replace(data_card, classes=("n01532829", "n01530575"))  # house finch and brambling: 12 and 10
    model = load(resolve(f"py:{write(sized(1000))}:make", birds), classes=2, seed=0)
    images = torch.rand(3, 3, 32, 32)
    assert torch.equal(model(images), model[1](model[0](images))[:, [12, 10]])
    two = load(resolve(f"py:{write(sized(2))}:make", birds), classes=2, seed=0)
    assert two(images).shape == (3, 2)


def test_outputs_that_are_not_the_datas_classes_are_refused(write: Write, data_card: DataCard):
    with pytest.raises(WeightsError, match="has 7 outputs, the data have 10 classes"):
        load(resolve(f"py:{write(sized(7))}:make", data_card), classes=10, seed=0)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("return nn.Identity()", r"must answer with logits, .* it answers with shape \(1, 3, 32, 32\)"),
        ("return nn.Linear(5, 10)", "failed on a picture: RuntimeError: "),
    ],
)
def test_what_does_not_answer_with_logits_is_one_line(write: Write, body: str, says: str, data_card: DataCard):
    with pytest.raises(WeightsError, match=says) as caught:
        load(resolve(f"py:{write(HEADER + f'def make(): {body}')}:make", data_card), classes=10, seed=0)
    assert len(str(caught.value).splitlines()) == 1
