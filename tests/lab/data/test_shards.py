"""Images in tar shards: any of them is had by its place, here or over a real socket, and what is wrong is named."""

from __future__ import annotations

import io
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch

from netversus.errors import DataError, UnreadableError
from netversus.lab.data import open_data, shards
from netversus.lab.evaluation import batches
from netversus.records import Preprocessing

Members = list[tuple[str, bytes]]


def write_tar(path: Path, members: Members) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def members(encoded, noise) -> Callable[..., Members]:
    """The members of some samples of two classes in turn."""

    def make(start: int, count: int, **settings) -> Members:
        return [
            member
            for i in range(start, start + count)
            for member in (
                (f"{i:05d}.png", encoded(noise(i, (16, 12)), **settings)),
                (f"{i:05d}.cls", str(i % 2).encode()),
            )
        ]

    return make


@pytest.fixture
def pets(tmp_path: Path, members) -> Path:
    """Three shards of eight."""
    for shard in range(3):
        write_tar(tmp_path / "pets" / f"pets-{shard:03d}.tar", members(8 * shard, 8))
    return tmp_path / "pets"


def said(data) -> dict[str, str]:
    return {one.path: one.reason for one in data.card.skipped}


def test_every_image_of_a_folder_of_shards_is_had_by_its_place(pets, noise):
    data = open_data(f"webdataset:{pets}?val=1")
    images = data.split("test")
    assert images.ids[:2] == ("pets-000.tar/00000", "pets-000.tar/00001")
    assert images.ids[-1] == "pets-002.tar/00023"
    assert images.labels.tolist() == [i % 2 for i in range(24)]
    for index in (23, 0, 9):
        assert np.array_equal(np.asarray(images.image(index)), np.asarray(noise(index, (16, 12))))
    assert data.card.classes == ("0", "1")
    assert images.checked
    assert open_data(f"webdataset:{pets}?val=1").card == data.card


def test_the_samples_are_those_that_the_webdataset_library_reads(pets):
    wds = pytest.importorskip("webdataset")
    pattern = str(pets / "pets-{000..002}.tar")
    theirs = [
        (Path(sample["__url__"]).name + "/" + sample["__key__"], sample["png"], int(sample["cls"]))
        for sample in wds.WebDataset(pattern, shardshuffle=False)
    ]
    images = open_data(f"webdataset:{pattern}?val=1").split("test")
    assert list(images.ids) == [key for key, _, _ in theirs]
    assert images.labels.tolist() == [label for _, _, label in theirs]
    from PIL import Image

    assert all(
        np.array_equal(np.asarray(images.image(i)), np.asarray(Image.open(io.BytesIO(content))))
        for i, (_, content, _) in enumerate(theirs)
    )


def test_a_pattern_names_the_shards_that_it_says_and_no_more(pets):
    assert open_data(f"webdataset:{pets}/pets-{{000..001}}.tar?val=1").card.splits == {"test": 16}
    assert open_data(f"webdataset:{pets}/*.tar").card.splits == {"train": 19, "test": 5}
    with pytest.raises(DataError, match=r"cannot read .*pets-003\.tar"):
        open_data(f"webdataset:{pets}/pets-{{000..003}}.tar")
    with pytest.raises(DataError, match="no file matches"):
        open_data(f"webdataset:{pets}/dogs-*.tar")
    with pytest.raises(DataError, match=r"holds no \.tar files"):
        open_data(f"webdataset:{pets.parent}")


def test_shards_divided_by_folders_or_by_the_user_are_not_divided_again(tmp_path, members):
    write_tar(tmp_path / "x" / "train" / "0.tar", members(0, 6))
    write_tar(tmp_path / "x" / "val" / "0.tar", members(6, 4))
    data = open_data(f"webdataset:{tmp_path / 'x'}")
    assert data.card.splits == {"train": 6, "test": 4}
    assert data.split("test").ids[0] == "val/0.tar/00006"
    same = open_data(f"webdataset:{tmp_path}/x/val/*.tar?train={tmp_path}/x/train/*.tar")
    assert same.card.digest == data.card.digest
    with pytest.raises(DataError, match="divided already"):
        open_data(f"webdataset:{tmp_path / 'x'}?val=0.5")
    with pytest.raises(DataError, match="among the shards to train on"):
        open_data(f"webdataset:{tmp_path}/x/*/*.tar?train={tmp_path}/x/train/*.tar")


def test_labels_may_be_names_or_stand_in_json_and_classes_may_be_named(tmp_path, encoded, noise):
    pictures = [encoded(noise(i)) for i in range(4)]
    named: Members = []
    for i, picture in enumerate(pictures):
        record = json.dumps({"class": "ab"[i % 2], "seen": True}).encode()
        named += [(f"d/{i}.jpg", picture), (f"d/{i}.json", record), (f"d/{i}.seg.png", picture)]
    path = write_tar(tmp_path / "n.tar", named)
    data = open_data(f"webdataset:{path}?label=json:class&val=1")
    assert data.card.classes == ("a", "b")
    assert data.split("test").ids[0] == "n.tar/d/0"
    assert any("content is PNG" in note for note in data.card.notes)
    (tmp_path / "names.txt").write_text("b\na\nzebra\n")
    data = open_data(f"webdataset:{path}?label=json:class&val=1&classes={tmp_path / 'names.txt'}")
    assert data.card.classes == ("b", "a", "zebra")
    assert data.split("test").labels.tolist() == [1, 0, 1, 0]
    with pytest.raises(DataError, match="has no field 'klass'"):
        open_data(f"webdataset:{path}?label=json:klass&val=1")


def test_numbers_are_the_classes_themselves_so_that_a_missing_one_shifts_none(tmp_path, encoded, noise):
    rows = [(f"{i}.{kind}", content) for i in range(4) for kind, content in (("png", encoded(noise(i))), ("cls", b"7"))]
    rows[1] = ("0.cls", b"2")
    data = open_data(f"webdataset:{write_tar(tmp_path / 'x.tar', rows)}?val=1")
    assert data.card.classes == tuple("01234567")
    assert data.split("test").labels.tolist() == [2, 7, 7, 7]


def test_what_is_wrong_with_a_sample_is_named_and_stops_a_strict_run(tmp_path, members, encoded, noise):
    good, picture = members(0, 6), encoded(noise(99))
    bad: Members = [
        ("nolabel.png", picture),
        ("noimage.cls", b"1"),
        ("two.png", picture), ("two.jpg", picture), ("two.cls", b"1"),
        ("torn.png", picture[:60]), ("torn.cls", b"0"),
        ("hollow.png", b""), ("hollow.cls", b"0"),
        ("odd.png", picture), ("odd.cls", b"\xff\xfe"),
        ("minus.png", picture), ("minus.cls", b"-1"),
        ("00003.png", picture), ("00003.cls", b"1"),
        (".hidden.png", picture), ("notes", b"x"),
    ]  # fmt: skip
    path = write_tar(tmp_path / "x.tar", good + bad)
    data = open_data(f"webdataset:{path}?val=1")
    assert data.card.splits == {"test": 6}
    assert {path.removeprefix("x.tar/"): reason.partition(":")[0] for path, reason in said(data).items()} == {
        "nolabel": "no label",
        "noimage": "no image",
        "two": "several images",
        "torn": "cannot be decoded",
        "hollow": "empty file",
        "odd": "its label is not text",
        "minus": "the label -1 is no class",
        "00003": "its key appears again",
    }
    with pytest.raises(DataError, match=r"8 files of x\.tar cannot be used, first x\.tar/00003: its key appears again"):
        open_data(f"webdataset:{path}", strict=True)


@pytest.mark.parametrize(
    ("harm", "reason", "left"),
    [
        (lambda tar: tar[:20000], "cut off after 7 usable samples", 15),
        (lambda tar: tar[:4096] + b"\7" * 512 + tar[4608:], "damaged at byte 4096 after 1 usable samples", 9),
        (lambda _: b"no tar at all" * 100, "not a tar file after 0 usable samples", 8),
        (lambda _: b"", "not a tar file after 0 usable samples", 8),
        (lambda tar: __import__("gzip").compress(tar), "compressed with gzip", 8),
    ],
)
def test_a_broken_shard_gives_what_lies_before_the_damage_and_is_named(pets, harm, reason, left):
    first = pets / "pets-000.tar"
    first.write_bytes(harm(first.read_bytes()))
    for name in ("pets-002.tar",):
        (pets / name).unlink()
    data = open_data(f"webdataset:{pets}?val=1")
    assert said(data)["pets-000.tar"].startswith(reason)
    assert data.card.splits["test"] <= left
    assert data.card.splits["test"] >= 8
    with pytest.raises(DataError, match=r"first pets-000\.tar"):
        open_data(f"webdataset:{pets}", strict=True)


def test_a_header_that_announces_gigabytes_is_damage_and_not_a_wish(tmp_path, members):
    path = write_tar(tmp_path / "x.tar", members(0, 4))
    info = tarfile.TarInfo("pax")
    info.type, info.size = tarfile.XHDTYPE, 2**32
    whole = path.read_bytes()
    with path.open("wb") as file:
        file.write(whole[:10240] + info.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(2**32 + 2**20)  # a hole: no disk is used
    data = open_data(f"webdataset:{path}?val=1&check=headers")
    assert data.card.splits == {"test": 3}  # the fourth may have lacked a member
    assert "a header of over 4 MiB" in said(data)["x.tar"]


def test_links_and_devices_are_no_images(tmp_path, members):
    path = tmp_path / "x.tar"
    write_tar(path, members(0, 4))
    with tarfile.open(path, "a") as tar:
        for name, kind in (
            ("evil.png", tarfile.SYMTYPE),
            ("evil.cls", tarfile.LNKTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    data = open_data(f"webdataset:{path}?val=1")
    assert said(data) == {
        "x.tar/evil": "its png is not a plain file",
        "x.tar/pipe": "its png is not a plain file",
    }


def test_an_image_that_changed_since_is_refused(pets, members):
    images = open_data(f"webdataset:{pets}?val=1").split("test")
    content = bytearray((pets / "pets-000.tar").read_bytes())
    content[600] ^= 1
    (pets / "pets-000.tar").write_bytes(content)
    with pytest.raises(DataError, match=r"pets-000\.tar/00000 changed since"):
        images.image(0)
    images.image(1)
    by_header = open_data(f"webdataset:{pets}?val=1&check=headers").split("test")
    write_tar(pets / "pets-001.tar", members(50, 8))
    with pytest.raises(DataError, match=r"pets-001\.tar/00008 changed since"):
        by_header.image(8)


def test_looking_at_headers_alone_says_so_and_knows_the_sample_by_them(pets, members):
    full, headers = (open_data(f"webdataset:{pets}?val=1&check={check}") for check in ("full", "headers"))
    assert full.card.digest != headers.card.digest
    assert any("the digest covers names, places, sizes and labels, not pixels" in note for note in headers.card.notes)
    assert not any("not pixels" in note for note in full.card.notes)
    assert not headers.split("test").checked
    write_tar(pets / "pets-001.tar", members(8, 7))
    assert open_data(f"webdataset:{pets}?val=1&check=headers").card.digest != headers.card.digest


def test_an_unreadable_image_that_only_its_header_was_known_of_is_named_when_it_is_read(pets, members):
    rows = members(0, 8)
    rows[4] = (rows[4][0], rows[4][1][:70] + bytes(len(rows[4][1]) - 70))
    write_tar(pets / "pets-000.tar", rows)
    assert said(open_data(f"webdataset:{pets}?val=1")).keys() == {"pets-000.tar/00002"}
    spec = f"webdataset:{pets}?val=1&check=headers"
    with pytest.raises(UnreadableError, match=r"pets-000\.tar/00002: .*check=full finds all such"):
        open_data(spec).split("test").image(2)
    with pytest.raises(DataError) as error:
        open_data(spec, strict=True).split("test").image(2)
    assert not isinstance(error.value, UnreadableError)


def test_what_was_found_is_remembered_until_a_shard_changes(pets, members, monkeypatch):
    for path in pets.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    looked = []
    monkeypatch.setattr(shards, "index_shard", lambda *a, f=shards.index_shard: looked.append(a[1]) or f(*a))
    first = open_data(f"webdataset:{pets}")
    assert len(looked) == 3
    assert open_data(f"webdataset:{pets}").card == first.card
    assert len(looked) == 3
    write_tar(pets / "pets-001.tar", members(60, 8))
    assert open_data(f"webdataset:{pets}").card.digest != first.card.digest
    assert looked[3:] == ["pets-001.tar"]


def _pixels(spec: str) -> dict[str, np.ndarray]:
    """What a contender is shown of each image, the pixels kept on disk and found there."""
    data, shape = open_data(spec), Preprocessing(crop=12, resize=None)
    images = data.split("test")
    shown = batches(
        images, np.arange(len(images)), 8, torch.device("cpu"), preprocessings=[shape], cache=data.card.digest
    )
    return {one: row.numpy().copy() for batch in shown for one, row in zip(batch.ids, batch.pixels(shape), strict=True)}


def test_pixels_of_an_earlier_archive_with_the_same_headers_are_not_taken_for_this_ones(tmp_path, encoded, noise):
    def archive(first: int, stamp: int) -> str:
        rows = [
            member
            for i in range(4)
            for member in (
                (f"{i}.ppm", encoded(noise(first + i, (16, 12)), form="PPM")),
                (f"{i}.cls", str(i % 2).encode()),
            )
        ]
        os.utime(write_tar(tmp_path / "x.tar", rows), ns=(stamp, stamp))
        return f"webdataset:{tmp_path / 'x.tar'}?val=1&check=headers"

    before = _pixels(spec := archive(0, 10**18))
    digest = open_data(spec).card.digest
    assert all(np.array_equal(each, before[one]) for one, each in _pixels(spec).items())
    after = _pixels(archive(10, 11 * 10**17))
    assert open_data(spec).card.digest == digest
    assert not any(np.array_equal(each, before[one]) for one, each in after.items())


def test_what_tells_of_change_is_the_digest_where_all_was_looked_at_and_else_the_files_themselves(pets):
    headers = f"webdataset:{pets}?val=1&check=headers"
    assert open_data(f"webdataset:{pets}?val=1").split("test").trace == ""
    assert open_data(headers).split("test").trace is None  # written a moment ago, they may change once more unseen
    for path in pets.iterdir():
        os.utime(path, ns=(10**18, 10**18))
    assert open_data(headers).split("test").trace


@pytest.mark.parametrize(
    "address",
    ["https://me:planted-1@host/x.tar", "s3://planted-1@bucket/{0..9}.tar", "https://host/x.tar?sig=planted-1?val=1"],
)
def test_an_address_with_a_secret_is_refused_without_repeating_it(address):
    with pytest.raises(DataError, match="must hold no user, password or query") as error:
        open_data(f"webdataset:{address}")
    assert "planted" not in str(error.value)


class Served:
    """Files over HTTP with ranges, counting what goes out."""

    def __init__(self, folder: Path) -> None:
        self.bytes = 0
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = folder / self.path.lstrip("/")
                if not path.is_file():
                    self.send_error(404)
                    return
                content, asked = path.read_bytes(), self.headers.get("Range")
                start, stop = 0, len(content)
                if asked:
                    first, _, last = asked.removeprefix("bytes=").partition("-")
                    start, stop = int(first), min(int(last or stop - 1) + 1, stop)
                self.send_response(206 if asked else 200)
                self.send_header("Accept-Ranges", "bytes")
                self.send_header("ETag", f'"{path.stat().st_mtime_ns}"')
                self.send_header("Content-Length", str(stop - start))
                if asked:
                    self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content[start:stop])
                    served.bytes += stop - start

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    pytest.importorskip("aiohttp")
    server = Served(tmp_path)
    yield server
    server.close()


def test_shards_behind_an_address_are_known_by_their_headers_and_read_image_by_image(served, tmp_path, members, noise):
    large = [(name, content + bytes(100_000) if name.endswith("png") else content) for name, content in members(0, 12)]
    for shard in range(2):
        write_tar(tmp_path / f"{shard}.tar", large[12 * shard : 12 * shard + 12])
    size = sum((tmp_path / f"{shard}.tar").stat().st_size for shard in range(2))
    data = open_data(f"webdataset:{served.address}/{{0..1}}.tar?val=1")
    opened = served.bytes
    assert opened < size / 15
    images = data.split("test")
    assert images.ids[7] == "1.tar/00007"
    assert np.array_equal(np.asarray(images.image(7)), np.asarray(noise(7, (16, 12))))
    assert served.bytes - opened == len(large[14][1]) + 512
    assert open_data(f"webdataset:{served.address}/{{0..1}}.tar?val=1").card == data.card
    assert served.bytes - opened == len(large[14][1]) + 512
    with pytest.raises(DataError, match=r"cannot read http.*2\.tar"):
        open_data(f"webdataset:{served.address}/{{0..2}}.tar?val=1")
