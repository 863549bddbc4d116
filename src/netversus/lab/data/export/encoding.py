"""Pictures into files."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

SUFFIX = {"png": ".png", "jpeg": ".jpg"}
"""The image formats that can be written, with their suffixes."""


def save(picture: Image.Image, path: Path, image: str) -> None:
    """Write a picture in one of the formats of `SUFFIX`, making its folder where needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if image == "jpeg":
        picture.save(path, "JPEG", quality=95, subsampling=0)
    else:
        picture.save(path, "PNG", compress_level=3)
