"""What is read from the source of torchvision and timm, beside what they say themselves once they are imported."""

from __future__ import annotations

import math

import pytest
import timm
import torch
import torchvision
from timm.data import resolve_data_config
from timm.models import get_pretrained_cfg, list_models
from torchvision.models import get_model, get_model_weights
from torchvision.models import list_models as list_torchvision
from torchvision.transforms import InterpolationMode

from netversus.errors import NetversusError, SpecError
from netversus.lab.contenders import list_contenders
from netversus.lab.contenders.catalogue import PublishedSet, find, names, package_folder
from netversus.lab.contenders.imagenet import labels, outputs_for, synsets
from netversus.records import Preprocessing

TORCHVISION = list_torchvision(module=torchvision.models)


def test_the_architectures_are_those_that_the_libraries_register():
    assert names("torchvision") == tuple(sorted(TORCHVISION))
    assert names("timm") == tuple(sorted(list_models()))


@pytest.mark.parametrize("name", TORCHVISION)
def test_torchvisions_sets_are_its_own(name: str):
    architecture, theirs = find("torchvision", name), get_model_weights(name)
    assert set(architecture.sets) == {weights.name for weights in theirs}
    assert architecture.default == theirs["DEFAULT"].name
    assert architecture.smallest == min(weights.meta.get("min_size", (1, 1))[0] for weights in theirs)
    for weights in theirs:
        found, transforms = architecture.sets[weights.name], weights.transforms()
        assert found == PublishedSet(
            name=weights.name,
            classes=len(weights.meta["categories"] or ()),
            preprocessing=Preprocessing(
                crop=transforms.crop_size[0],
                resize=transforms.resize_size[0],
                interpolation=InterpolationMode(transforms.interpolation).value,
                mean=tuple(transforms.mean),
                std=tuple(transforms.std),
                antialias=transforms.antialias,
            ),
            url=weights.url,
            recipe=weights.meta.get("recipe") or "",
            parameters=weights.meta["num_params"],
            gigamacs=weights.meta["_ops"],
            lack="" if weights.meta["categories"] else "it gives features, not classes",
        )


@pytest.mark.parametrize("name", ["vit_h_14", "vit_b_32", "maxvit_t"])
def test_an_untrained_network_of_fixed_size_takes_the_side_that_is_told(name: str):
    architecture = find("torchvision", name)
    assert architecture.fixed
    with torch.device("meta"):
        model = get_model(name, weights=None).eval()
        assert model(torch.zeros(1, 3, architecture.smallest, architecture.smallest)).shape == (1, 1000)


SAMPLE = [
    "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnet26d", "resnet50d", "resnet101d", "resnet200d",
    "resnetrs50", "resnetv2_50", "resnetv2_101x1_bit", "resnext50_32x4d", "resnext101_32x16d", "wide_resnet50_2",
    "seresnet50", "ecaresnet101d", "resnetaa50", "resnetblur50", "gcresnet50t", "convnext_atto", "convnext_base",
    "convnextv2_nano", "vit_tiny_patch16_224", "vit_base_patch16_224", "vit_large_patch14_clip_336",
    "deit3_small_patch16_224", "swin_tiny_patch4_window7_224", "swinv2_base_window12to24_192to384", "beit_base_patch16_384",
    "beitv2_base_patch16_224", "eva02_tiny_patch14_336", "efficientnet_b0", "efficientnetv2_rw_s",
    "tf_efficientnetv2_s", "mobilenetv3_large_100", "mobilenetv4_conv_small", "regnety_160", "densenet121", "inception_v3",
    "vgg11", "mixer_b16_224", "dm_nfnet_f0", "inception_next_tiny",
]  # fmt: skip


@pytest.mark.parametrize("name", SAMPLE)
def test_timms_default_is_its_own(name: str):
    architecture, theirs = find("timm", name), get_pretrained_cfg(name)
    assert architecture.default == theirs.tag
    assert list(architecture.sets)
    found = architecture.sets[architecture.default]
    assert found.classes == theirs.num_classes
    assert found.hub == theirs.hf_hub_id or found.url == theirs.url
    assert found.preprocessing is not None
    config = resolve_data_config({}, pretrained_cfg=theirs.to_dict())
    assert found.preprocessing.crop == config["input_size"][1] == theirs.input_size[1]
    assert found.preprocessing.resize == math.floor(config["input_size"][1] / config["crop_pct"])
    assert found.preprocessing.interpolation == config["interpolation"]
    assert found.preprocessing.mean == config["mean"]
    assert found.preprocessing.std == config["std"]
    assert found.preprocessing.squash == (config["crop_mode"] == "squash")


def test_every_set_of_timm_that_classifies_is_found_where_timm_has_it():
    seen = 0
    for full in timm.list_pretrained():
        theirs = get_pretrained_cfg(full)
        found = find("timm", theirs.architecture).sets.get(theirs.tag)
        if found is None or found.lack:  # what is left out gives no classes, or says why
            assert found is not None or theirs.num_classes != 1000
            continue
        assert (found.classes, found.hub, found.url) == (theirs.num_classes, theirs.hf_hub_id or "", theirs.url or "")
        seen += 1
    assert seen > 1000


def test_the_side_that_an_untrained_timm_network_takes_is_timms():
    for name in names("timm"):
        theirs, ours = get_pretrained_cfg(name), find("timm", name)
        if theirs is None or not ours.sets:
            continue
        assert ours.fixed == bool(theirs.fixed_input_size), name
        expected = theirs.input_size[1] if ours.fixed else (theirs.min_input_size or (3, 1, 1))[1]
        assert ours.smallest == expected, name


@pytest.mark.parametrize(
    ("library", "wrong", "hint"),
    [
        ("torchvision", "resnet-50", "did you mean resnet50"),
        ("torchvision", "ResNet50", "did you mean resnet50"),
        ("torchvision", "resnet50d", "write timm:resnet50d"),
        ("timm", "vit_b_16", "write vit_b_16"),
        ("timm", "resnet5O", "did you mean resnet50"),
        ("timm", "qqqqqqqq", "`netversus list contenders`"),
    ],
)
def test_a_misspelt_architecture_gets_the_nearest_names(library, wrong: str, hint: str):
    with pytest.raises(SpecError, match=f"{library} has no architecture '{wrong}'") as caught:
        find(library, wrong)
    assert caught.value.hint.startswith(hint)
    assert "\n" not in str(caught.value)


def test_contenders_are_listed_by_a_part_of_their_name_or_a_pattern():
    part = dict(list_contenders("ResNet50"))
    assert part["resnet50"] == ("IMAGENET1K_V1", "IMAGENET1K_V2")
    assert "a1_in1k" in part["timm:resnet50"]
    assert dict(list_contenders("resnet?8")).keys() == {"resnet18"}
    assert dict(list_contenders("timm:resnet10[01]")).keys() == {"timm:resnet101"}
    assert list_contenders("no such name") == []


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(NetversusError, match="the package no_such_package is not installed"):
        package_folder("no_such_package")


def test_imagenets_classes_are_those_of_torchvision_in_their_order():
    theirs = get_model_weights("resnet50")["DEFAULT"].meta["categories"]
    assert len(synsets()) == len(labels()) == len(theirs) == 1000
    agree = [ours.lower().startswith(name.split(" ")[0].lower()) for ours, name in zip(labels(), theirs, strict=True)]
    assert sum(agree) > 900  # torchvision shortens and rewords some
    assert labels()[0] == "tench, Tinca tinca"
    assert outputs_for(["n01443537", "n01440764"]) == (1, 0)
    assert outputs_for(["n01443537", "cat"]) == ()
