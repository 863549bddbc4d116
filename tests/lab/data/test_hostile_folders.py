from __future__ import annotations

import errno
import os
import struct
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from netversus.errors import DataError
from netversus.lab.data import open_data
from netversus.lab.data.decode import _formats, decode
from netversus.lab.data.names import unescape


def _png_header(width: int, height: int) -> bytes:
    """A PNG that claims to be large: the header alone, and a little data."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def _skipped(root: Path) -> dict[str, str]:
    return {one.path: one.reason for one in open_data(f"{root}?val=1").card.skipped}


def test_every_bad_file_is_named_with_its_reason_and_the_good_ones_are_used(pets, encoded, noise):
    whole_jpeg, whole_png = encoded(noise(50, (64, 64)), "JPEG"), encoded(noise(51, (64, 64)))
    bad = {
        "cut.jpg": (whole_jpeg[: len(whole_jpeg) // 2], "cannot be decoded"),
        "cut.png": (whole_png[: len(whole_png) // 2], "cannot be decoded"),
        "header-only.jpg": (whole_jpeg[:20], "cut off in its header"),
        "empty.jpg": (b"", "empty file"),
        "text.png": (b"not an image at all", "not an image in a known format"),
        "labels.csv": (b"a,b\n1,2\n", "not an image in a known format"),
        "page.svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image in a known format"),
        "script.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image in a known format"),
        "bomb.png": (_png_header(10_000, 10_000), "too large: 10000x10000 is over 50 megapixels"),
        "bigger-bomb.png": (_png_header(60_000, 60_000), "too large: over 50 megapixels"),
        "float.tif": (encoded(Image.fromarray(np.ones((4, 4), np.float32)), "TIFF"), "floating-point"),
        "deep.tif": (encoded(Image.fromarray(np.full((4, 4), 70_000, np.int32)), "TIFF"), "do not fit 16 bits"),
    }
    for name, (content, _) in bad.items():
        (pets / "cat" / name).write_bytes(content)
    skipped = _skipped(pets)
    assert set(skipped) == {f"cat/{name}" for name in bad}
    for name, (_, reason) in bad.items():
        assert reason in skipped[f"cat/{name}"], name
        assert "\n" not in skipped[f"cat/{name}"]
    assert open_data(f"{pets}?val=1").card.splits == {"test": 20}


def test_a_bomb_is_not_decoded(pets, monkeypatch):
    (pets / "cat" / "bomb.png").write_bytes(_png_header(10_000, 10_000))
    loaded: list[tuple[int, int]] = []
    load = ImageFile.ImageFile.load
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: loaded.append(image.size) or load(image))
    with pytest.raises(DataError, match="bomb"):
        open_data(str(pets), strict=True)
    assert loaded
    assert (10_000, 10_000) not in loaded


def test_the_limit_on_pixels_can_be_set(pets, encoded, noise):
    (pets / "cat" / "large.png").write_bytes(encoded(noise(1, (120, 100))))
    assert not _skipped(pets)
    card = open_data(f"{pets}?val=1&megapixels=0.01").card
    assert [(one.path, one.reason) for one in card.skipped] == [
        ("cat/large.png", "too large: 120x100 is over 0.01 megapixels")
    ]


def test_unusual_images_are_used_and_told(pets, encoded, noise):
    plain = noise(60, (10, 6))
    exif = Image.Exif()
    exif[0x0112] = 6
    unusual = {
        "cmyk.jpg": (encoded(plain.convert("CMYK"), "JPEG"), "CMYK converted to RGB"),
        "deep.png": (encoded(Image.fromarray(np.full((6, 10), 40_000, np.uint16))), "16-bit grey scaled to 8 bits"),
        "palette.png": (encoded(plain.convert("P")), "palette converted to RGB"),
        "moving.gif": (
            encoded(plain, "GIF", save_all=True, append_images=[noise(61, (10, 6))]),
            "several frames: the first is used",
        ),
        "turned.jpg": (encoded(plain, "JPEG", exif=exif), "turned upright by its EXIF orientation"),
        "really-png.jpg": (encoded(noise(62)), "content is PNG, which the name does not say"),
        "glass.png": (encoded(noise(64).convert("RGBA")), "transparency dropped"),
    }
    for name, (content, _) in unusual.items():
        (pets / "dog" / name).write_bytes(content)
    data = open_data(f"{pets}?val=1", strict=False)
    assert not data.card.skipped
    assert data.card.splits == {"test": 27}
    for name, (_, note) in unusual.items():
        assert any(note in told and f"dog/{name}" in told for told in data.card.notes), name
    images = data.split("test")
    for index, name in enumerate(images.ids):
        assert images.image(index).mode == "RGB", name
    assert images.image(images.ids.index("dog/turned.jpg")).size == (6, 10)
    deep = np.asarray(images.image(images.ids.index("dog/deep.png")))
    assert (deep == round(40_000 / 257)).all()
    first = Image.open(pets / "dog" / "moving.gif").convert("RGB")
    assert np.array_equal(np.asarray(images.image(images.ids.index("dog/moving.gif"))), np.asarray(first))


def test_a_name_of_any_bytes_is_told_on_one_line_and_leads_back_to_the_file(pets, encoded, noise):
    names = [
        "new\nline.png",
        "bell\x07.png",
        "猫.png",
        "right\u202egnp.png",
        "100%41.png",
        os.fsdecode(b"\xff\xfe.png"),
    ]
    for number, name in enumerate(names):
        (pets / "cat" / name).write_bytes(encoded(noise(100 + number)))
    (pets / "cat" / "bad\n.png").write_bytes(b"")
    data = open_data(f"{pets}?val=1")
    ids = data.split("test").ids
    assert all(name.isprintable() for name in ids)
    assert {unescape(name) for name in ids} >= {f"cat/{name}" for name in names}
    assert data.card.skipped[0].path == "cat/bad%0A.png"
    images = data.split("test")
    assert all(images.image(index).size == (12, 8) for index in range(len(ids)))
    open_data(f"{pets}?val=1")  # and once more, with what was remembered of such names


def test_the_same_name_in_two_classes_is_two_images(pets, encoded, noise):
    (pets / "cat" / "x.png").write_bytes(encoded(noise(30)))
    (pets / "dog" / "x.png").write_bytes(encoded(noise(31)))
    ids = open_data(f"{pets}?val=1").split("test").ids
    assert {"cat/x.png", "dog/x.png"} <= set(ids)
    assert len(set(ids)) == 22


def test_images_in_folders_below_a_class_belong_to_it(pets, encoded, noise):
    (pets / "cat" / "more" / "still more").mkdir(parents=True)
    (pets / "cat" / "more" / "still more" / "x.png").write_bytes(encoded(noise(30)))
    images = open_data(f"{pets}?val=1").split("test")
    assert images.labels[images.ids.index("cat/more/still more/x.png")] == 0


def test_an_empty_class_is_named_keeps_its_number_and_stops_a_strict_run(pets):
    (pets / "bird").mkdir()
    (pets / "bird" / "bad.png").write_bytes(b"")
    data = open_data(str(pets))
    assert data.card.classes == ("bird", "cat", "dog")
    assert set(data.split("test").labels.tolist()) == {1, 2}
    assert "1 class has no usable image: bird" in data.card.notes
    (pets / "bird" / "bad.png").unlink()
    with pytest.raises(DataError, match="1 class has no usable image: bird"):
        open_data(str(pets), strict=True)


def test_a_class_that_is_on_one_side_only_is_named(pets):
    (pets / "train").mkdir()
    for name in ("cat", "dog"):
        (pets / name).rename(pets / "train" / name)
    for name, number in (("cat", 0), ("dog", 10)):
        (pets / "test" / name).mkdir(parents=True)
        (pets / "train" / name / f"{number:02d}.png").rename(pets / "test" / name / "moved.png")
    (pets / "train" / "bird").mkdir()
    (pets / "train" / "cat" / "01.png").rename(pets / "train" / "bird" / "01.png")
    assert "1 class is absent from test: bird" in open_data(str(pets)).card.notes


def test_a_folder_without_one_good_file_says_why(pets):
    for path in pets.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match=r"no usable image to measure on; 20 skipped, first cat/00\.png: empty file"):
        open_data(str(pets))


def test_links_that_lead_outside_or_nowhere_are_refused_and_those_inside_are_followed(pets, tmp_path, encoded, noise):
    secret = tmp_path / "secret.png"
    secret.write_bytes(encoded(noise(40)))
    (tmp_path / "outside").mkdir()
    (pets / "cat" / "out.png").symlink_to(secret)
    (pets / "cat" / "up.png").symlink_to("../../secret.png")
    (pets / "cat" / "gone.png").symlink_to("nowhere.png")
    (pets / "cat" / "loop.png").symlink_to("loop.png")
    (pets / "cat" / "round").symlink_to(pets / "cat")
    (pets / "linked").symlink_to(tmp_path / "outside")
    (pets / "dog" / "in.png").symlink_to("10.png")
    assert _skipped(pets) == {
        "cat/out.png": "a link that leads outside the folder",
        "cat/up.png": "a link that leads outside the folder",
        "cat/gone.png": "a link that leads nowhere",
        "cat/loop.png": "a link that leads nowhere",
        "cat/round": "a link to a folder",
        "linked": "a link that leads outside the folder",
    }
    assert "dog/in.png" in open_data(f"{pets}?val=1").split("test").ids


def test_the_folder_itself_may_be_reached_by_a_link(pets, tmp_path):
    (tmp_path / "link").symlink_to(pets)
    assert open_data(str(tmp_path / "link")).card.digest == open_data(str(pets)).card.digest


def test_a_pipe_is_not_waited_for(pets):
    os.mkfifo(pets / "cat" / "pipe.png")
    found: list[dict[str, str]] = []
    thread = threading.Thread(target=lambda: found.append(_skipped(pets)), daemon=True)
    thread.start()
    thread.join(timeout=20)
    assert found == [{"cat/pipe.png": "not a regular file"}]


def test_a_file_that_may_not_be_read_is_named_and_asked_for_again(pets, monkeypatch):
    forbidden, read_bytes = pets / "cat" / "00.png", Path.read_bytes
    os.utime(forbidden, (1e9, 1e9))

    def refuse(path: Path) -> bytes:
        if path == forbidden:
            raise PermissionError(errno.EACCES, "Permission denied")
        return read_bytes(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refuse)
        assert _skipped(pets) == {"cat/00.png": "cannot be read: Permission denied"}
    assert not _skipped(pets)


def test_a_folder_that_may_not_be_listed_is_named(pets, monkeypatch):
    scandir = os.scandir

    def refuse(path):
        if path == pets / "cat" / "private":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    (pets / "cat" / "private").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    assert _skipped(pets) == {"cat/private": "cannot be listed: Permission denied"}


def test_entries_beside_the_images_are_counted_and_do_not_stop_a_strict_run(pets):
    (pets / ".git").mkdir()
    (pets / "cat" / ".DS_Store").write_bytes(b"x")
    (pets / "dog" / "Thumbs.db").write_bytes(b"x")
    (pets / "README.md").write_text("about")
    card = open_data(str(pets), strict=True).card
    assert card.classes == ("cat", "dog")
    assert "4 entries beside the images ignored: .git, README.md, cat/.DS_Store, ..." in card.notes


def test_an_image_beside_the_class_folders_is_named(pets):
    (pets / "stray.png").write_bytes((pets / "cat" / "00.png").read_bytes())
    assert _skipped(pets) == {"stray.png": "outside every class folder"}


def test_no_warning_of_the_decoder_reaches_the_user(pets, recwarn):
    (pets / "cat" / "bomb.png").write_bytes(_png_header(10_000, 10_000))
    open_data(str(pets))
    assert not recwarn.list


@pytest.mark.parametrize("form", ["AVIF", "BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP"])
def test_no_damage_to_a_file_escapes_as_anything_but_a_reason(form, encoded, noise, recwarn):
    if form not in _formats():
        pytest.skip(f"this Pillow was built without {form}")
    whole, random = encoded(noise(9, (40, 30)), form), np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        content = bytearray(whole[: random.integers(1, len(whole) + 1)] if random.random() < 0.3 else whole)
        for place in random.integers(0, min(len(content), 200), 4):
            content[place] = random.integers(0, 256)
        try:
            assert decode(bytes(content), suffix="", megapixels=1).image.mode == "RGB"
        except DataError:
            refused += 1
    assert refused
