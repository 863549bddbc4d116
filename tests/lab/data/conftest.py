from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> Path:
    """What is remembered of files stays inside the test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("NETVERSUS_CACHE", str(folder))
    return folder


def _encoded(image: Image.Image, form: str = "PNG", **settings) -> bytes:
    stream = BytesIO()
    image.save(stream, form, **settings)
    return stream.getvalue()


def _noise(seed: int, size: tuple[int, int] = (12, 8)) -> Image.Image:
    """A picture like no other: (width, height) pixels of noise."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def encoded():
    return _encoded


@pytest.fixture
def noise():
    return _noise


@pytest.fixture
def pets(tmp_path) -> Path:
    """Ten cats and ten dogs, no two pictures alike."""
    root = tmp_path / "pets"
    for number in range(20):
        path = root / ("cat" if number < 10 else "dog") / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_encoded(_noise(number)))
    return root
