"""From a spec to a card: which weights, which preprocessing, what the outputs mean; and all of it without torch."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from netversus.errors import SpecError, UsageError, WeightsError
from netversus.lab.contenders.catalogue import IMAGENET_MEAN, IMAGENET_STD, find, names
from netversus.lab.contenders.imagenet import synsets
from netversus.lab.contenders.resolve import architecture_of, resolve
from netversus.lab.contenders.spec import parse
from netversus.records import DataCard, Preprocessing

UNPUBLISHED = next(name for name in names("timm") if name.startswith("resnet") and not find("timm", name).sets)


@pytest.mark.parametrize("text", ["resnet50", "timm:resnet50", "resnet50@scratch", "timm:resnet50@scratch"])
def test_on_classes_that_are_not_imagenets_weights_are_random_and_trained_here(text: str, data_card: DataCard):
    card = resolve(text, data_card)
    assert card.untrained
    assert card.answers
    assert (card.name, card.spec, card.architecture) == (text, text, "resnet50")
    assert (card.weights, card.recipe, card.head, card.outputs) == ("scratch", "scratch", "data", ())
    assert card.preprocessing == Preprocessing(crop=32, resize=None)
    said = any("the classes of digits are not ImageNet's: random weights" in note for note in card.notes)
    assert said != text.endswith("@scratch")


@pytest.mark.parametrize(
    ("text", "weights", "preprocessing"),
    [
        ("resnet50", "IMAGENET1K_V2", Preprocessing(224, 232, "bilinear", IMAGENET_MEAN, IMAGENET_STD)),
        ("resnet18", "IMAGENET1K_V1", Preprocessing(224, 256, "bilinear", IMAGENET_MEAN, IMAGENET_STD)),
        ("timm:resnet50", "a1_in1k", Preprocessing(224, 235, "bicubic", IMAGENET_MEAN, IMAGENET_STD)),
    ],
)
def test_on_imagenets_classes_the_published_default_is_taken(text, weights: str, preprocessing, synset_data: DataCard):
    card = resolve(text, synset_data)
    assert not card.untrained
    assert (card.name, card.weights, card.head) == (text, weights, "imagenet-1k")
    assert card.preprocessing == preprocessing
    assert card.outputs == tuple(synsets()[name] for name in synset_data.classes) == (574, 0, 207)
    assert f"the published default {weights}" in card.notes[0]


def test_an_architecture_that_nobody_published_stays_random_on_imagenets_classes(synset_data: DataCard):
    card = resolve(f"timm:{UNPUBLISHED}", synset_data)
    assert card.untrained
    assert "none are published" in card.notes[0]


def test_one_class_that_is_not_imagenets_makes_the_data_foreign(synset_data: DataCard):
    data = replace(synset_data, classes=(*synset_data.classes, "cat"))
    assert resolve("resnet50", data).untrained


def test_published_weights_on_other_classes_are_not_judged(data_card: DataCard):
    card = resolve("resnet50@IMAGENET1K_V1", data_card)
    assert (card.head, card.outputs, card.answers) == ("imagenet-1k", (), False)
    assert "1,000 outputs are not the classes of digits" in card.notes[-1]


def test_sets_of_other_classes_than_imagenets_have_a_foreign_head(synset_data: DataCard):
    card = resolve("timm:resnetv2_50x1_bit.goog_in21k", synset_data)
    assert (card.head, card.outputs, card.answers) == ("other", (), False)
    assert "21,843 outputs" in card.notes[-1]


def test_the_word_default_is_written_out(synset_data: DataCard):
    card = resolve("torchvision:resnet50@DEFAULT", synset_data)
    assert card.name == card.spec == "resnet50@IMAGENET1K_V2"
    assert card.digest == resolve("resnet50@IMAGENET1K_V2", synset_data).digest
    assert resolve("timm:resnet50.DEFAULT", synset_data).name == "timm:resnet50.a1_in1k"


def test_sets_of_one_name_and_two_trainings_are_told_apart(synset_data: DataCard):
    """torchvision trained resnet50 and resnet101 differently, and calls both results IMAGENET1K_V2."""
    first, second = (resolve(f"{name}@IMAGENET1K_V2", synset_data).recipe for name in ("resnet50", "resnet101"))
    assert first != second
    third, fourth = (resolve(f"{name}@IMAGENET1K_V1", synset_data).recipe for name in ("resnet50", "resnet101"))
    assert third == fourth
    assert resolve("timm:resnet50.a1h_in1k", synset_data).recipe == "timm:a1h_in1k"


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("resnet51", "torchvision has no architecture 'resnet51'", "resnet50"),
        ("timm:resnet51", "timm has no architecture 'resnet51'", "resnet50"),
        ("resnet50@IMAGENET1K_V3", "resnet50 has no published weights 'IMAGENET1K_V3'", "IMAGENET1K_V2"),
        ("resnet50@xyz", "no published weights 'xyz'", "write resnet50@IMAGENET1K_V1 or resnet50@IMAGENET1K_V2"),
        ("timm:resnet50.a1_in2k", "no published weights 'a1_in2k'", "a1_in1k"),
        (f"timm:{UNPUBLISHED}.a1_in1k", "no published weights", f"write timm:{UNPUBLISHED}@scratch"),
        (f"timm:{UNPUBLISHED}.DEFAULT", "no published weights 'DEFAULT'", f"write timm:{UNPUBLISHED}@scratch"),
    ],
)
def test_what_does_not_exist_is_one_line_with_the_nearest_names(text, says: str, hint: str, data_card: DataCard):
    with pytest.raises(SpecError) as caught:
        resolve(text, data_card)
    assert says in caught.value.message
    assert hint in caught.value.hint
    assert len(str(caught.value).splitlines()) == 1


def test_features_are_no_classifier(synset_data: DataCard):
    with pytest.raises(WeightsError, match=r"vgg16 cannot be used: it gives features, not classes \(write vgg16@I"):
        resolve("vgg16@IMAGENET1K_FEATURES", synset_data)


@pytest.mark.parametrize(
    ("text", "size", "crop", "resize"),
    [
        ("resnet18@scratch", 32, 32, None),
        ("resnet18@scratch", None, 224, 256),
        ("alexnet@scratch", 32, 63, None),
        ("vit_b_16@scratch", 32, 224, None),
        ("vit_h_14@scratch", 32, 224, None),
        ("vit_b_16@scratch", 300, 224, None),
        ("inception_v3@scratch", None, 224, 256),
        ("timm:vit_tiny_patch16_224@scratch", 32, 224, None),
        ("timm:vit_base_patch16_384@scratch", None, 384, 439),
    ],
)
def test_a_network_that_takes_no_small_images_gets_larger_ones(text, size, crop: int, resize, data_card: DataCard):
    card = resolve(text, replace(data_card, image_size=size))
    assert (card.preprocessing.crop, card.preprocessing.resize) == (crop, resize)
    assert any("are resized" in note for note in card.notes) == (size is not None and size != crop)


def test_a_file_is_known_by_its_content(tmp_path: Path, data_card: DataCard):
    path = tmp_path / "w.safetensors"
    path.write_bytes(b"one")
    before = resolve(f"file:{path}?arch=resnet50", data_card)
    assert (before.architecture, before.weights, before.head) == ("resnet50", "w.safetensors", "unknown")
    assert before.answers
    assert not before.untrained
    assert before.digest == resolve(f"file:{path}?arch=torchvision:resnet50", data_card).digest
    other = [
        resolve(f"file:{path}?arch=resnet101", data_card),
        resolve(f"file:{path}?arch=timm:resnet50", data_card),
        resolve(f"file:{path}?arch=resnet50&crop=64", data_card),
    ]
    path.write_bytes(b"two")
    other.append(resolve(f"file:{path}?arch=resnet50", data_card))
    assert len({before.digest, *(card.digest for card in other)}) == 5


def test_what_is_assumed_of_a_files_preprocessing_is_said(tmp_path: Path, data_card: DataCard):
    (tmp_path / "w.pt").write_bytes(b"one")
    card = resolve(f"file:{tmp_path}/w.pt?arch=resnet50", data_card)
    assert card.preprocessing == Preprocessing(32, None, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    assert "ImageNet's mean and std are assumed" in card.notes[-1]
    card = resolve(f"file:{tmp_path}/w.pt?arch=resnet50&mean=0.5&std=0.5&crop=40&resize=48", data_card)
    assert card.preprocessing == Preprocessing(40, 48)
    assert not card.notes


def test_settings_for_large_images_need_no_second_thought(tmp_path: Path, synset_data: DataCard):
    (tmp_path / "m.onnx").write_bytes(b"one")
    card = resolve(f"onnx:{tmp_path}/m.onnx?crop=288", synset_data)
    assert (card.preprocessing.crop, card.preprocessing.resize) == (288, 329)
    assert card.outputs == (574, 0, 207)


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("file:{}/modle.pt?arch=resnet50", "modle.pt is not there", "did you mean model.pt?"),
        ("onnx:{}/model.onx", "model.onx is not there", ""),
        ("file:{}?arch=resnet50", "is a folder", ""),
        ("file:{}/no/such/model.pt?arch=resnet50", "is not there", ""),
        ("file:{}/model.pt?arch=resnet5O", "no architecture 'resnet5O'", "resnet50"),
        ("file:{}/model.pt?arch=hf:resnet50", "torchvision or a timm architecture, got 'hf:resnet50'", ""),
        ("file:{}/model.pt?arch=resnet50&crop=x", "number of pixels", ""),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(text: str, says: str, hint: str, tmp_path: Path, data_card: DataCard):
    (tmp_path / "model.pt").write_bytes(b"one")
    with pytest.raises(UsageError) as caught:
        resolve(text.format(tmp_path), data_card)
    assert says in caught.value.message
    assert hint in caught.value.hint
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("arch", "expected"),
    [
        ("resnet50", ("torchvision", "resnet50")),
        ("torchvision:resnet50", ("torchvision", "resnet50")),
        ("timm:resnet50", ("timm", "resnet50")),
        ("resnet50d", ("timm", "resnet50d")),
    ],
)
def test_a_bare_architecture_may_be_either_librarys(arch: str, expected: tuple[str, str]):
    assert architecture_of(parse(f"file:w.pt?arch={arch}")) == expected


def test_every_kind_is_resolved_and_rated_without_torch(tmp_path: Path):
    (tmp_path / "model.onnx").write_bytes(b"a graph")
    (tmp_path / "w.pt").write_bytes(b"weights")
    (tmp_path / "nets.py").write_text("def make(): ...\n")
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text(json.dumps({"id2label": {"0": "0"}}))
    code = """
        import sys
        from netversus.lab.contenders import list_contenders
        from netversus.lab.contenders.availability import ensure_available
        from netversus.lab.contenders.resolve import resolve
        from netversus.lab.rates import nominal_rates
        from netversus.records import DataCard

        specs = ["resnet50", "resnet50@IMAGENET1K_V2", "timm:resnet101.a1h_in1k", "timm:resnet101@scratch", "hf:net",
                 "file:w.pt?arch=resnet50", "onnx:model.onnx", "py:nets:make", "py:nets:make@scratch"]
        cards = [resolve(spec, DataCard("d", "d", "d", tuple("01"), {}, 32)) for spec in specs]
        assert [card.name for card in cards] == specs
        assert len(nominal_rates(cards)) == len(specs)
        ensure_available(card for card in cards if card.untrained or card.source in ("file", "onnx", "py"))
        list_contenders("resnet")
        heavy = {"torch", "torchvision", "timm", "transformers", "onnxruntime"} & set(sys.modules)
        assert not heavy, heavy
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True)
