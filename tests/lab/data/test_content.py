"""The bytes that an image is decoded from, for whoever wants to time or decode them by himself."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from netversus.errors import DataError
from netversus.lab.data import open_data
from netversus.lab.data.decode import decode


def in_shard(pets: Path, place: Path) -> str:
    with tarfile.open(place / "pets.tar", "w") as tar:
        for number, path in enumerate(sorted(pets.glob("*/*.png"))):
            for suffix, content in (("png", path.read_bytes()), ("cls", str(number % 2).encode())):
                info = tarfile.TarInfo(f"{number:03d}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return f"webdataset:{place}/pets.tar?val=1"


def in_table(pets: Path, place: Path) -> str:
    pytest.importorskip("datasets")
    contents = [path.read_bytes() for path in sorted(pets.glob("*/*.png"))]
    rows = {"image": contents, "label": ["cat" if i % 2 else "dog" for i in range(len(contents))]}
    pq.write_table(pa.table(rows), place / "pets.parquet")
    return f"hf:{place / 'pets.parquet'}?val=1"


def in_folder(pets: Path, _place: Path) -> str:
    return f"{pets}?val=1"


@pytest.mark.parametrize("spec", [in_folder, in_shard, in_table], ids=lambda f: f.__name__)
def test_it_decodes_to_the_image(spec, pets, tmp_path):
    images = open_data(spec(pets, tmp_path)).split("test")
    assert len(images) == 20
    for index in (0, 7, 19):
        content = images.content(index)
        assert content is not None
        assert np.array_equal(decode(content, suffix="", megapixels=1).image, images.image(index))


@pytest.mark.parametrize("spec", ["digits", "scenes?size=16&train=10&test=10"])
def test_what_is_drawn_has_none(spec):
    assert open_data(spec).split("test").content(0) is None


def test_a_stream_reads_no_image_alone(pets, tmp_path):
    assert open_data(in_table(pets, tmp_path) + "&streaming=true").split("test").content(0) is None


def test_a_file_that_changed_is_refused(pets, encoded, noise):
    images = open_data(in_folder(pets, pets)).split("test")
    (pets / "cat" / "00.png").write_bytes(encoded(noise(99)))
    with pytest.raises(DataError, match="changed since the data were opened"):
        [images.content(index) for index in range(len(images))]
