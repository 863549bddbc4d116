"""Fast decoding and resizing beside the exact one: where it is equal, how far it is off where it is not."""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

from made_images import Files, encoded, noise, smooth
from netversus.errors import DataError
from netversus.lab.data import open_data
from netversus.lab.data.decode import decode
from netversus.lab.pipeline.decoders import Decoder, Pillow, Simplejpeg, decoders
from netversus.lab.pipeline.method import EXACT, OVERSAMPLING, Method, Picture, decoder_in, fast_methods, method_of
from netversus.lab.preprocessing import to_uint8, to_uint8_boxed
from netversus.records import Preprocessing

P224 = Preprocessing(crop=224, resize=256)
ALL = [
    pytest.param(
        each,
        id=type(each).__name__,
        marks=pytest.mark.skipif(
            isinstance(each, Simplejpeg) and find_spec("simplejpeg") is None, reason="simplejpeg is not installed"
        ),
    )
    for each in (Pillow(), Simplejpeg())
]


def difference(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    return np.abs(a.numpy().astype(int) - b.numpy().astype(int))


@pytest.mark.parametrize("decoder", ALL)
@pytest.mark.parametrize(
    "settings", [{}, {"subsampling": 0}, {"subsampling": 1}, {"progressive": True}, {"quality": 30}]
)
def test_every_decoder_gives_pillows_and_torchvisions_pixels_at_full_size(
    decoder: Decoder, settings: dict[str, object]
):
    for picture in (noise(1, (97, 61)), smooth(2, (160, 121))):
        content = encoded(picture, **settings)
        mine = decoder.decode(content, picture.size, 1)
        assert mine.mode == "RGB"
        assert np.array_equal(np.asarray(mine), np.asarray(Image.open(BytesIO(content)).convert("RGB")))
        theirs = decode_jpeg(torch.frombuffer(bytearray(content), dtype=torch.uint8), mode=ImageReadMode.RGB)
        assert np.array_equal(np.asarray(mine), theirs.permute(1, 2, 0).numpy())


@pytest.mark.parametrize("decoder", ALL)
@pytest.mark.parametrize("scale", [2, 4, 8])
def test_a_shrinking_decoder_gives_the_sides_rounded_up_and_the_same_picture(decoder: Decoder, scale: int):
    picture = smooth(3, (501, 399))
    small = decoder.decode(encoded(picture, quality=95), picture.size, scale)
    assert small.size == (-(-501 // scale), -(-399 // scale))
    averaged = picture.reduce(scale)  # each pixel the mean of `scale` x `scale`
    assert np.abs(np.asarray(small).astype(int) - np.asarray(averaged)).mean() < 2


@pytest.mark.parametrize("decoder", ALL)
def test_a_damaged_file_gets_the_references_verdict_or_an_image(decoder: Decoder):
    """What was looked at when the data were opened is whole; and should it not be, nothing breaks."""
    whole = encoded(smooth(4, (200, 150)))
    random = np.random.default_rng(0)
    for cut in (len(whole) // 2, len(whole) - 2, 700):
        damaged = whole[:cut]
        with pytest.raises(DataError, match="cannot be decoded"):
            decode(damaged, suffix="", megapixels=1)
        try:
            got = decode(damaged, suffix="", megapixels=1, fast=lambda c, s: decoder.decode(c, s, 1)).image
        except DataError as error:
            assert "cannot be decoded" in str(error)
        else:
            assert got.size == (200, 150)
    for _ in range(30):
        content = bytearray(whole)
        for place in random.integers(0, len(content), 4):
            content[place] = random.integers(0, 256)
        try:
            decode(bytes(content), suffix="", megapixels=1, fast=lambda c, s: decoder.decode(c, s, 1))
        except DataError:
            continue


def test_only_plain_jpegs_whose_header_was_checked_reach_a_fast_decoder():
    seen: list[tuple[int, int]] = []

    def fast(content: bytes, size: tuple[int, int]) -> Image.Image:
        seen.append(size)
        return Pillow().decode(content, size, 1)

    exif = Image.Exif()
    exif[0x0112] = 6
    picture = smooth(5, (64, 48))
    others = [
        encoded(picture, "PNG"),
        encoded(picture.convert("L")),
        encoded(picture.convert("CMYK")),
        encoded(picture, exif=exif),
    ]
    for content in others:
        reference = decode(content, suffix="", megapixels=1)
        assert decode(content, suffix="", megapixels=1, fast=fast).image.tobytes() == reference.image.tobytes()
    with pytest.raises(DataError, match="too large"):
        decode(encoded(picture), suffix="", megapixels=0.001, fast=fast)
    assert seen == []
    decode(encoded(picture), suffix="", megapixels=1, fast=fast)
    assert seen == [(64, 48)]


def test_what_a_fast_decoder_cannot_do_the_reference_does():
    def fast(content: bytes, size: tuple[int, int]) -> Image.Image:
        raise RuntimeError("no such marker")

    content = encoded(smooth(6, (64, 48)))
    assert decode(content, suffix="", megapixels=1, fast=fast).image.tobytes() == (
        decode(content, suffix="", megapixels=1).image.tobytes()
    )


@pytest.mark.parametrize("size", [(500, 400), (333, 517), (640, 427), (300, 260), (200, 150)])
@pytest.mark.parametrize(
    "preprocessing",
    [
        P224,
        Preprocessing(crop=224, resize=232),
        Preprocessing(crop=224, resize=235, interpolation="bicubic"),
        Preprocessing(crop=224, resize=224, squash=True),
        Preprocessing(crop=64, resize=73),
    ],
)
def test_resizing_only_what_the_crop_shows_is_off_by_a_level_here_and_there(size, preprocessing):
    for picture, most in ((noise(7, size), 12), (smooth(8, size), 2)):
        off = difference(to_uint8_boxed(picture, preprocessing), to_uint8(picture, preprocessing))
        assert off.max() <= (most if preprocessing.interpolation == "bicubic" else 1)  # bicubic overshoots on noise
        assert off.mean() < 0.3


@pytest.mark.parametrize(
    ("size", "preprocessing"),
    [
        ((256, 300), P224),
        ((32, 32), Preprocessing(crop=32, resize=None)),
        ((50, 40), Preprocessing(crop=32, resize=None)),
        ((500, 400), Preprocessing(crop=224, resize=200)),
        ((500, 400), Preprocessing(crop=224, resize=256, interpolation="nearest")),
    ],
)
def test_where_there_is_nothing_to_gain_the_exact_pixels_come(size, preprocessing):
    picture = noise(9, size)
    assert torch.equal(to_uint8_boxed(picture, preprocessing), to_uint8(picture, preprocessing))


def test_a_photo_is_shrunk_as_far_as_its_preprocessing_leaves_twice_the_pixels():
    method = Method(Pillow(), scaled=True)
    assert method.scale((4000, 3000), P224) == 4
    assert min(4000, 3000) // 4 >= OVERSAMPLING * 256 > min(4000, 3000) // 8
    assert method.scale((500, 400), P224) == 1
    assert method.scale((500, 400), Preprocessing(crop=64, resize=73)) == 2
    assert method.scale((4000, 3000), Preprocessing(crop=224, resize=None)) == 1
    assert method.scale((4000, 3000), Preprocessing(crop=224, resize=256, interpolation="nearest")) == 1
    assert EXACT.scale((4000, 3000), P224) == 1


@pytest.mark.parametrize("method", [EXACT, *fast_methods()], ids=lambda each: each.label)
def test_what_a_contender_sees_does_not_depend_on_who_else_is_measured(method):
    images = Files([encoded(smooth(10, (1300, 1200))), encoded(smooth(11, (90, 80)), "PNG")])
    several = (P224, Preprocessing(crop=64, resize=73), Preprocessing(crop=224, resize=232))
    for index in range(2):
        together = Picture(images, index, method)
        for preprocessing in (*several, *reversed(several)):
            alone = Picture(images, index, method).pixels(preprocessing)
            assert torch.equal(together.pixels(preprocessing), alone)


def test_an_image_is_decoded_once_for_all_preprocessings_of_one_scale():
    images = Files([encoded(smooth(12, (1300, 1200)))])
    for method in (EXACT, *fast_methods()):
        images.decoded.clear()
        picture = Picture(images, 0, method)
        for resize in (232, 256, 288):
            picture.pixels(Preprocessing(crop=224, resize=resize))
        assert images.decoded[0] == 1


def test_a_stored_label_names_a_method_of_any_decoder_that_is_installed():
    for decoder in decoders():
        for method in (Method(decoder, scaled=True, boxed=True), Method(decoder, boxed=True)):
            assert method_of(method.label) == method
            assert decoder_in(method.label) == decoder.name
    assert method_of("exact") == EXACT
    assert method_of("fast: simplejpeg 0.0.1, scaled, boxed") is None
    assert decoder_in("fast: simplejpeg 0.0.1, scaled, boxed") == "simplejpeg 0.0.1"


def test_a_folder_of_jpegs_is_decoded_fast_and_a_changed_file_is_refused_all_the_same(tmp_path):
    for number in range(4):
        path = tmp_path / f"class-{number % 2}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encoded(smooth(number, (1300, 1200))))
    images = open_data(f"{tmp_path}?val=1").split("test")
    scaled, preprocessing = Method(Pillow(), scaled=True), Preprocessing(crop=64, resize=73)
    assert Picture(images, 0, scaled).image(preprocessing).size == (163, 150)
    assert Picture(images, 0, EXACT).image(preprocessing).size == (1300, 1200)
    (tmp_path / images.ids[0]).write_bytes(encoded(smooth(9, (1300, 1200))))
    with pytest.raises(DataError, match="changed since the data were opened"):
        Picture(images, 0, scaled).image(preprocessing)


def test_the_exact_method_is_the_reference_whatever_is_installed():
    images = Files([encoded(noise(13, (500, 400)))])
    assert torch.equal(Picture(images, 0, EXACT).pixels(P224), to_uint8(images.image(0), P224))


def test_a_methods_name_tells_what_decides_its_pixels():
    names = {method.name for method in (EXACT, *fast_methods(), Method(Pillow()), Method(boxed=True))}
    assert len(names) == 5
    assert all("pillow" in name and "torch" in name for name in names)
    assert next(decoders()).name in fast_methods()[0].label
