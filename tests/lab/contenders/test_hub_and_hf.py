"""Hugging Face repositories and folders: found, prepared for, and loaded as transformers itself does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    BitImageProcessor,
    ConvNextImageProcessor,
    DeiTImageProcessor,
    ResNetConfig,
    ResNetForImageClassification,
    ViTImageProcessor,
)

from netversus.errors import SpecError, UsageError, WeightsError
from netversus.lab.contenders import hub
from netversus.lab.contenders.availability import ensure_available
from netversus.lab.contenders.imagenet import labels
from netversus.lab.contenders.load import load
from netversus.lab.contenders.resolve import resolve
from netversus.lab.preprocessing import normalise, to_uint8
from netversus.records import DataCard, Preprocessing

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(7))
PROCESSOR = {
    "image_processor_type": "ConvNextImageProcessor",
    "size": {"shortest_edge": 64},
    "crop_pct": 0.875,
    "resample": 3,
    "image_mean": [0.1, 0.2, 0.3],
    "image_std": [0.4, 0.5, 0.6],
}


@pytest.fixture(autouse=True)
def _same_random_state() -> Iterator[None]:
    with torch.random.fork_rng():
        yield


def tiny(folder: Path, names: list[str], **processor: Any) -> ResNetForImageClassification:
    """Save a network of two small blocks, as its author would."""
    torch.manual_seed(11)
    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], layer_type="basic")
    config.id2label = dict(enumerate(names))
    config.label2id = {name: i for i, name in enumerate(names)}
    model = ResNetForImageClassification(config).eval()
    model.save_pretrained(folder)
    if processor:
        (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return model


def logits(model: ResNetForImageClassification) -> torch.Tensor:
    with torch.no_grad():
        return model(pixel_values=IMAGES).logits


def test_a_local_folder_gives_the_same_logits(tmp_path: Path, data_card: DataCard):
    original = tiny(tmp_path / "net", [f"LABEL_{i}" for i in range(10)])
    card = resolve(f"hf:{tmp_path}/net", data_card)
    assert (card.weights, card.head, card.outputs) == ("local folder", "unknown", ())
    assert any("their order is assumed the same" in note for note in card.notes)
    assert any("has no preprocessor_config.json" in note for note in card.notes)
    ensure_available([card])
    model = load(card, classes=10, seed=0)
    assert not model.training
    assert torch.equal(model(IMAGES), logits(original))


def test_outputs_are_put_in_the_datas_order_by_their_names(tmp_path: Path, data_card: DataCard):
    original = tiny(tmp_path / "net", ["other", *reversed(data_card.classes)], **PROCESSOR)
    card = resolve(f"hf:{tmp_path}/net", data_card)
    assert (card.head, card.outputs, card.answers) == ("other", tuple(range(10, 0, -1)), True)
    assert not card.notes
    assert torch.equal(load(card, classes=10, seed=0)(IMAGES), logits(original)[:, 1:].flip(1))


def test_imagenets_labels_answer_for_its_synsets(tmp_path: Path, synset_data: DataCard, data_card: DataCard):
    original = tiny(tmp_path / "net", list(labels()), **PROCESSOR)
    card = resolve(f"hf:{tmp_path}/net", synset_data)
    assert (card.head, card.outputs) == ("imagenet-1k", (574, 0, 207))
    assert torch.equal(load(card, classes=3, seed=0)(IMAGES), logits(original)[:, [574, 0, 207]])
    assert not resolve(f"hf:{tmp_path}/net", data_card).answers


def test_another_number_of_classes_is_refused(tmp_path: Path, data_card: DataCard):
    tiny(tmp_path / "net", ["cat", "dog"])
    with pytest.raises(WeightsError, match="has 2 outputs, the data have 10 classes"):
        load(resolve(f"hf:{tmp_path}/net", data_card), classes=10, seed=0)


def test_scratch_takes_the_architecture_alone(tmp_path: Path, data_card: DataCard):
    tiny(tmp_path / "net", ["cat", "dog"], **PROCESSOR)
    (tmp_path / "net" / "model.safetensors").unlink()
    card = resolve(f"hf:{tmp_path}/net@scratch", data_card)
    assert (card.untrained, card.head, card.preprocessing) == (True, "data", Preprocessing(crop=32, resize=None))
    ensure_available([card])
    first, again, other = (load(card, classes=10, seed=seed).state_dict() for seed in (1, 1, 2))
    assert first["model.classifier.1.weight"].shape == (10, 8)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_a_folder_is_known_by_its_content(tmp_path: Path, data_card: DataCard):
    names = list(data_card.classes)
    tiny(tmp_path / "net", names)
    tiny(tmp_path / "copy", names)
    spec = f"hf:{tmp_path}/net"
    before = resolve(spec, data_card).digest
    assert before == resolve(f"hf:{tmp_path}/copy", data_card).digest
    (tmp_path / "net" / "model.safetensors").write_bytes(b"other")
    assert resolve(spec, data_card).digest != before


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: (folder / "config.json").unlink(), "holds no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), "holds no JSON object"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff\xfe"), "config.json cannot be read"),
        (lambda folder: (folder / "model.safetensors").unlink(), "has no weights in the safetensors format"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"hello, world"), "is not a safetensors file"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "no such"}'), "cannot load hf:"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "resnet"}'), "is not among them"),
        (lambda folder: changed(folder / "config.json", '"num_channels": 3', '"num_channels": 4'), "another shape"),
    ],
)
def test_a_folder_that_is_broken_is_one_line(spoil: Callable[[Path], Any], says: str, tmp_path: Path, data_card, capfd):
    tiny(tmp_path / "net", list(data_card.classes))
    spoil(tmp_path / "net")
    capfd.readouterr()
    with pytest.raises(UsageError, match=says) as caught:  # noqa: PT012 (which of the steps refuses it is no matter)
        card = resolve(f"hf:{tmp_path}/net", data_card)
        ensure_available([card])
        load(card, classes=10, seed=0)
    assert len(str(caught.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")  # and nothing beside it


def test_a_folder_has_no_revisions(tmp_path: Path, data_card: DataCard):
    tiny(tmp_path / "net", list(data_card.classes))
    with pytest.raises(SpecError, match="a local folder has no revisions"):
        resolve(f"hf:{tmp_path}/net@main", data_card)


def serve(server: Any, folder: Path, repository: str, revisions: tuple[str, ...] = ("main",)) -> None:
    commit = "c0ffee" + 34 * "0"
    for path in folder.iterdir():
        for revision in (*revisions, commit):
            server.files[f"/{repository}/resolve/{revision}/{path.name}"] = path.read_bytes()


def test_a_repository_is_downloaded_once_and_loaded(tmp_path: Path, server, hub_at, data_card: DataCard):
    original = tiny(tmp_path / "net", list(data_card.classes), **PROCESSOR)
    serve(server, tmp_path / "net", "me/net", ("main", "v1"))
    hub_at(server.address)
    card = resolve("hf:me/net", data_card)
    assert card.weights == "c0ffee" + 34 * "0"  # the commit: "main" may be another tomorrow
    assert card.preprocessing.crop == 64
    ensure_available([card])
    assert torch.equal(load(card, classes=10, seed=0)(IMAGES), logits(original))
    asked = len(server.asked)
    ensure_available([resolve("hf:me/net", data_card)])
    assert len(server.asked) == asked
    assert resolve("hf:me/net@v1", data_card).digest != resolve("hf:me/net@scratch", data_card).digest


def test_a_repository_in_pieces_is_fetched_whole(tmp_path: Path, server, hub_at, data_card: DataCard):
    original = tiny(tmp_path / "net", list(data_card.classes))
    original.save_pretrained(tmp_path / "net", max_shard_size=3000)
    (tmp_path / "net" / "model.safetensors").unlink(missing_ok=True)
    assert len(list((tmp_path / "net").glob("model-*.safetensors"))) > 1
    serve(server, tmp_path / "net", "me/net")
    hub_at(server.address)
    card = resolve("hf:me/net", data_card)
    ensure_available([card])
    assert torch.equal(load(card, classes=10, seed=0)(IMAGES), logits(original))


def test_a_repository_without_safetensors_or_config_is_one_line(tmp_path: Path, server, hub_at, data_card: DataCard):
    tiny(tmp_path / "net", list(data_card.classes))
    serve(server, tmp_path / "net", "me/net")
    hub_at(server.address)
    del server.files[f"/me/net/resolve/c0ffee{34 * '0'}/model.safetensors"]
    with pytest.raises(WeightsError, match="hf:me/net has no weights in the safetensors format"):
        ensure_available([resolve("hf:me/net", data_card)])
    with pytest.raises(WeightsError, match=r"me/nothing has no config\.json"):
        resolve("hf:me/nothing", data_card)


@pytest.mark.parametrize("target", ["a/b/c", "../up", "me//net", "-x", "no such folder"])
def test_what_is_neither_a_folder_nor_a_repository_is_one_line(target: str, data_card: DataCard):
    with pytest.raises(UsageError) as caught:
        resolve(f"hf:{target}", data_card)
    assert "is neither a local folder nor the name of a repository" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.usefixtures("no_network")
def test_what_is_in_the_cache_needs_no_network(cache_in_hub):
    place = cache_in_hub("me/net", "config.json")
    place.write_text("{}")
    assert hub.fetch("me/net", "config.json") == hub.cached("me/net", "config.json") == place
    with pytest.raises(
        WeightsError, match=r"model\.safetensors of me/net is not in the cache and cannot be downloaded"
    ):
        hub.fetch("me/net", "model.safetensors")


def picture(width: int, height: int) -> Image.Image:
    """A smooth picture: what two resizes make of it differs by their rounding only."""
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 5, height))
    channels = [127 + 120 * np.sin(x + k) * np.cos(y - k) for k in range(3)]
    return Image.fromarray(np.stack(channels, axis=-1).astype(np.uint8))


@pytest.mark.parametrize("size", [(300, 200), (120, 170)])
@pytest.mark.parametrize(
    "processor",
    [
        ConvNextImageProcessor(size={"shortest_edge": 56}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.3, 0.4]),
        ConvNextImageProcessor(),
        ViTImageProcessor(size={"height": 48, "width": 48}),
        ViTImageProcessor(size={"height": 48, "width": 48}, do_normalize=False),
        DeiTImageProcessor(),
        BitImageProcessor(size={"shortest_edge": 72}, crop_size={"height": 64, "width": 64}),
    ],
    ids=["ConvNeXt below 384", "ConvNeXt at 384", "ViT", "ViT not normalised", "DeiT", "Bit"],
)
def test_images_are_prepared_as_by_transformers_itself(processor, size, tmp_path: Path, data_card: DataCard):
    tiny(tmp_path / "net", list(data_card.classes))
    processor.save_pretrained(tmp_path / "net")
    found = resolve(f"hf:{tmp_path}/net", data_card).preprocessing
    theirs = processor(picture(*size), return_tensors="pt")["pixel_values"]
    ours = normalise(to_uint8(picture(*size), found)[None], found)
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= 2.01 / 255 / min(found.std)  # two steps of an 8-bit image


@pytest.mark.parametrize(
    ("kind", "size", "crop", "expected"),
    [
        ("ConvNextFeatureExtractor", 224, None, (224, 256, False)),
        ("ViTFeatureExtractor", 224, None, (224, 224, True)),
        ("DeiTFeatureExtractor", 256, 224, (224, 256, True)),
        ("CLIPFeatureExtractor", 256, 224, (224, 256, False)),
        ("MobileNetV2ImageProcessor", {"shortest_edge": 256}, {"height": 224, "width": 224}, (224, 256, False)),
    ],
)
def test_older_configurations_say_a_size_in_one_number(kind, size, crop, expected, tmp_path: Path, data_card):
    own = {**PROCESSOR, "feature_extractor_type": kind, "size": size, "crop_size": crop}
    del own["image_processor_type"], own["crop_pct"]
    tiny(tmp_path / "net", list(data_card.classes), **own)
    found = resolve(f"hf:{tmp_path}/net", data_card).preprocessing
    assert (found.crop, found.resize, found.squash) == expected
    assert (found.mean, found.std, found.interpolation) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6), "bicubic")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"resample": 1}, "resample is 1"),
        ({"do_rescale": False}, "do_rescale is False"),
        ({"rescale_factor": 1 / 127.5}, "rescale_factor is"),
        ({"do_flip_channel_order": True}, "do_flip_channel_order is True"),
        ({"do_resize": False}, "do_resize is False"),
        ({"image_mean": [0.5]}, r"image_mean is \[0.5\]"),
        ({"image_std": None}, "image_std is None"),
        ({"size": {"height": 32, "width": 64}}, "size is"),
        ({"size": None}, "size is None"),
        ({"image_processor_type": "LevitImageProcessor", "crop_size": 64}, "LevitImageProcessor"),
        ({"image_processor_type": "BitImageProcessor", "do_center_crop": False, "crop_size": 64}, "size is"),
        ({"image_processor_type": "", "size": 224}, "processor without a type"),
    ],
)
def test_a_preprocessing_that_cannot_be_had_here_is_refused(change, says: str, tmp_path: Path, data_card: DataCard):
    tiny(tmp_path / "net", list(data_card.classes), **{**PROCESSOR, **change})
    with pytest.raises(WeightsError, match=f"cannot be reproduced here: .*{says}") as caught:
        resolve(f"hf:{tmp_path}/net", data_card)
    assert len(str(caught.value).splitlines()) == 1


def test_a_transformer_takes_the_side_that_its_configuration_names(tmp_path: Path, data_card: DataCard):
    (tmp_path / "config.json").write_text('{"model_type": "vit", "image_size": 48}')
    assert resolve(f"hf:{tmp_path}@scratch", data_card).preprocessing.crop == 48
    data = replace(data_card, image_size=None)
    assert resolve(f"hf:{tmp_path}@scratch", data).preprocessing.resize == 55
