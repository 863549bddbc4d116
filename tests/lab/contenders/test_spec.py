"""Specs: every form is understood, has one way to be written, and a wrong one is told in one line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netversus.errors import SpecError
from netversus.lab.contenders.resolve import resolve
from netversus.lab.contenders.spec import SOURCES, ContenderSpec, parse, preparation
from netversus.records import DataCard, Preprocessing

FORMS = [
    ("resnet50", "resnet50", ContenderSpec("torchvision", "resnet50")),
    ("  resnet50 ", "resnet50", ContenderSpec("torchvision", "resnet50")),
    ("torchvision:resnet50", "resnet50", ContenderSpec("torchvision", "resnet50")),
    (
        "torchvision:resnet50@IMAGENET1K_V2",
        "resnet50@IMAGENET1K_V2",
        ContenderSpec("torchvision", "resnet50", "IMAGENET1K_V2"),
    ),
    ("resnet50@scratch", "resnet50@scratch", ContenderSpec("torchvision", "resnet50", "scratch")),
    ("timm:resnet101", "timm:resnet101", ContenderSpec("timm", "resnet101")),
    ("timm:resnet101.a1h_in1k", "timm:resnet101.a1h_in1k", ContenderSpec("timm", "resnet101", "a1h_in1k")),
    ("timm:resnet101@scratch", "timm:resnet101@scratch", ContenderSpec("timm", "resnet101", "scratch")),
    ("hf:microsoft/resnet-50", "hf:microsoft/resnet-50", ContenderSpec("hf", "microsoft/resnet-50")),
    ("hf:microsoft/resnet-50@main", "hf:microsoft/resnet-50@main", ContenderSpec("hf", "microsoft/resnet-50", "main")),
    ("hf:./folder@scratch", "hf:./folder@scratch", ContenderSpec("hf", "./folder", "scratch")),
    (
        "file:model.safetensors?arch=resnet50",
        "file:model.safetensors?arch=resnet50",
        ContenderSpec("file", "model.safetensors", "", {"arch": "resnet50"}),
    ),
    (
        "file:/a?b/w.pt?crop=64&arch=timm:resnet50",
        "file:/a?b/w.pt?arch=timm:resnet50&crop=64",
        ContenderSpec("file", "/a?b/w.pt", "", {"arch": "timm:resnet50", "crop": "64"}),
    ),
    ("onnx:model.onnx", "onnx:model.onnx", ContenderSpec("onnx", "model.onnx")),
    ("onnx:m.onnx?crop=32", "onnx:m.onnx?crop=32", ContenderSpec("onnx", "m.onnx", "", {"crop": "32"})),
    ("py:package.module:factory", "py:package.module:factory", ContenderSpec("py", "package.module:factory")),
    (
        "py:nets:make?crop=48@scratch",
        "py:nets:make?crop=48@scratch",
        ContenderSpec("py", "nets:make", "scratch", {"crop": "48"}),
    ),
    (
        " ours-v1=file:a=b.pt?arch=resnet50&engine=auto",
        "ours-v1=file:a=b.pt?arch=resnet50&engine=auto",
        ContenderSpec("file", "a=b.pt", "", {"arch": "resnet50"}, "auto", "ours-v1"),
    ),
    (
        "small=resnet50?stages=3@scratch",
        "small=resnet50?stages=3@scratch",
        ContenderSpec("torchvision", "resnet50", "scratch", {"stages": "3"}, name="small"),
    ),
    ("resnet50?stages=3", "resnet50?stages=3", ContenderSpec("torchvision", "resnet50", "", {"stages": "3"})),
]


@pytest.mark.parametrize(("text", "canonical", "expected"), FORMS, ids=[form[0].strip() for form in FORMS])
def test_every_form_is_understood_and_has_one_way_to_be_written(text: str, canonical: str, expected: ContenderSpec):
    assert parse(text) == expected
    assert parse(text).canonical == canonical
    assert parse(canonical) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [("a=b=resnet50", "is named twice"), ("a=", "is empty"), ("=resnet50", "resnet50"), ("a b=resnet50", "resnet50")],
)
def test_a_name_that_cannot_be_one_is_refused(text: str, says: str, data_card: DataCard):
    with pytest.raises(SpecError, match=says):
        resolve(text, data_card)


def test_a_contender_is_called_as_its_spec_says(data_card: DataCard):
    plain, named = resolve("resnet18@scratch", data_card), resolve("old=resnet18@scratch", data_card)
    assert (plain.name, named.name, named.spec) == ("resnet18@scratch", "old", "old=resnet18@scratch")
    assert named.digest == plain.digest


def test_random_weights_are_told_from_published_ones():
    assert parse("resnet50@scratch").scratch
    assert not parse("resnet50@IMAGENET1K_V2").scratch
    assert not parse("resnet50").scratch


WORDS = st.text(alphabet="ab1_.:@?&=/- \n", max_size=12)
PIECES = st.lists(
    st.sampled_from(["scratch", "arch=resnet50", "crop=3", "mean=0.5", "m:f", ".onnx", ".pt", "@", "?", "&", ":", " "])
    | WORDS,
    max_size=6,
).map("".join)


@given(prefix=st.sampled_from(["", *(f"{source}:" for source in SOURCES)]), rest=PIECES)
def test_whatever_is_understood_parses_to_itself_and_whatever_is_not_is_one_line(prefix: str, rest: str):
    try:
        spec = parse(prefix + rest)
    except SpecError as error:
        assert "\n" not in str(error)
        return
    assert spec.target
    assert parse(spec.canonical) == spec
    assert parse(spec.canonical).canonical == spec.canonical


@given(st.text(max_size=40))
def test_no_text_at_all_breaks_the_parser(text: str):
    try:
        assert parse(parse(text).canonical) == parse(text)
    except SpecError as error:
        assert len(str(error).splitlines()) == 1


WRONG = [
    ("", "is empty", "resnet50"),
    ("tmm:resnet50", "no source of contenders 'tmm'", "did you mean timm?"),
    ("C:/models/a.pt", "no source of contenders 'C'", "known: torchvision, timm"),
    ("timm:", "names nothing", "timm:resnet101.a1h_in1k"),
    ("hf:@scratch", "names nothing", "hf:microsoft/resnet-50"),
    ("file:?arch=resnet50", "names nothing", "file:model.safetensors?arch=resnet50"),
    ("resnet50@", "no weights after its @", "resnet50@scratch"),
    ("hf:microsoft/resnet-50@", "no weights after its @", "@scratch"),
    ("@scratch", "names no architecture", "torchvision:resnet50"),
    ("timm:.a1_in1k", "names no architecture", "timm:resnet101.a1h_in1k"),
    ("weights/model.pth", "not the name of a network", "file:weights/model.pth?arch=resnet50"),
    ("torchvision:model.onnx", "not the name of a network", "onnx:model.onnx"),
    ("torchvision:a:b", "not the name of a network", "torchvision:resnet50"),
    ("timm:resnet50.a1_in1k@scratch", "asks for weights and for none", "timm:resnet50@scratch"),
    ("timm:resnet50@a1_in1k", "with a dot", "timm:resnet50.a1_in1k"),
    ("file:model.safetensors", "which architecture", "file:model.safetensors?arch=resnet50"),
    ("file:w.pt?arch=resnet50@scratch", "a file's weights and for none", "name the architecture alone"),
    ("file:w.pt?acrh=resnet50", "no setting 'acrh'", "did you mean arch?"),
    ("file:w.pt?arch=", "expected arch=VALUE", ""),
    ("file:w.pt?arch=a&arch=b", "given twice", ""),
    ("onnx:m.onnx?arch=resnet50", "no setting 'arch'", "known: crop"),
    ("py:package.module", "expected py:package.module:factory", "torch.nn.Module"),
    ("py:my-nets:make", "expected py:package.module:factory", "torch.nn.Module"),
    ("py:nets:make@V1", "only @scratch may follow", ""),
]


@pytest.mark.parametrize(("text", "says", "hint"), WRONG, ids=[wrong[0] for wrong in WRONG])
def test_a_wrong_spec_is_one_line_that_says_what_to_write(text: str, says: str, hint: str):
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert says in caught.value.message
    assert hint in caught.value.hint
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


OTHERWISE = Preprocessing(crop=32, resize=40, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))


def test_settings_say_how_images_are_prepared():
    spec = parse("onnx:m.onnx?crop=64&resize=72&interpolation=bicubic&mean=0.5&std=0.2,0.3,0.4")
    assert preparation(spec, OTHERWISE) == Preprocessing(64, 72, "bicubic", (0.5, 0.5, 0.5), (0.2, 0.3, 0.4))


def test_what_the_settings_leave_open_stays():
    assert preparation(parse("onnx:m.onnx"), OTHERWISE) == OTHERWISE
    assert preparation(parse("onnx:m.onnx?resize=50"), OTHERWISE).crop == 32


def test_a_crop_alone_shows_the_same_part_of_an_image():
    assert preparation(parse("onnx:m.onnx?crop=288"), Preprocessing(crop=224, resize=256)).resize == 329
    assert preparation(parse("onnx:m.onnx?crop=64"), Preprocessing(crop=32, resize=None)).resize is None


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("crop=0", "from 1 to 4096"),
        ("crop=big", "from 1 to 4096"),
        ("crop=²", "from 1 to 4096"),
        ("resize=9999", "from 1 to 4096"),
        ("crop=64&resize=32", "smaller than crop=64"),
        ("interpolation=lanczos", "bilinear or bicubic or nearest"),
        ("mean=1,2", "one number or three"),
        ("mean=x", "one number or three"),
        ("mean=nan", "one number or three"),
        ("std=0", "one number or three"),
        ("mean=124,117,104", "in 0..1"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_line(query: str, says: str):
    with pytest.raises(SpecError, match=says) as caught:
        preparation(parse(f"onnx:m.onnx?{query}"), OTHERWISE)
    assert "\n" not in str(caught.value)
