"""Write data in the formats that other tools read, so that they can be run on the same pictures.

image_folder.py   SPLIT/CLASS/NUMBER.png and a manifest: any data
coco.py           annotations/instances_SPLIT.json and SPLIT/NUMBER.png: scenes
mot.py            SPLIT/SEQUENCE/{img1,gt,seqinfo.ini}: scenes
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from netversus.errors import DataError, OptionError, nearest
from netversus.lab.data import open_data
from netversus.lab.data.dataset import Dataset
from netversus.lab.data.export.coco import write_coco
from netversus.lab.data.export.encoding import SUFFIX
from netversus.lab.data.export.image_folder import write_folder
from netversus.lab.data.export.mot import write_mot
from netversus.lab.data.scenes import open_frames, open_sequences

LAYOUTS = ("folder", "coco", "mot")
Writer = Callable[[Path, str], int]
"""Takes an empty folder and an image format, and tells how many images it wrote."""


def export(
    source: str | Dataset,
    out: Path,
    *,
    layout: str = "folder",
    image: str = "png",
    seed: int = 0,
    strict: bool = False,
) -> int:
    """Write data into the new folder `out` and tell how many images were written.

    The folder appears when all is written, or not at all.

    Args:
        source: a data spec, or opened data; "coco" and "mot" need the spec of scenes. The counts in the spec are
            images for "folder" and "coco", sequences for "mot", each with its own defaults.
        out: a folder that does not exist yet or is empty.
        layout: "folder", "coco" or "mot".
        image: "png" keeps every pixel; "jpeg" (quality 95, 4:4:4) does not.
        seed: of the data, where `source` is a spec.
        strict: stop at a file that cannot be used.

    Raises:
        DataError: the folder is not empty or cannot be written, or an image cannot be read.
        OptionError: an unknown layout or image format.
        SpecError: the spec does not fit.
    """
    _known("layout", layout, LAYOUTS)
    _known("image format", image, tuple(SUFFIX))
    return _in_place(out, _writer(source, layout, seed, strict=strict), image)


def _known(what: str, came: str, known: tuple[str, ...]) -> None:
    if came not in known:
        hint = nearest(came, known) or f"known: {', '.join(known)}"
        raise OptionError(f"there is no {what} {came!r}", hint=hint)


def _writer(source: str | Dataset, layout: str, seed: int, *, strict: bool) -> Writer:
    if layout == "folder":
        data = open_data(source, seed=seed, strict=strict) if isinstance(source, str) else source
        return partial(write_folder, data)
    if isinstance(source, Dataset):
        raise DataError(f"opened data have no boxes to write as {layout}", hint="give the spec of scenes instead")
    if layout == "coco":
        return partial(write_coco, open_frames(source, seed=seed))
    return partial(write_mot, open_sequences(source, seed=seed))


def _in_place(out: Path, write: Writer, image: str) -> int:
    """Write beside the target and rename, so that a half-written folder is never taken for a whole one."""
    try:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise DataError(f"{out} exists and is not an empty folder", hint="name a new one")
        out.parent.mkdir(parents=True, exist_ok=True)
        partly = out.with_name(f".{out.name}.{os.getpid()}.part")
        partly.mkdir()
    except OSError as error:
        raise DataError(f"cannot write to {out}: {error.strerror}") from None
    try:
        written = write(partly, image)
        if out.exists():
            out.rmdir()
        partly.rename(out)
    except OSError as error:
        raise DataError(f"cannot write to {out}: {error.strerror}") from None
    finally:
        shutil.rmtree(partly, ignore_errors=True)
    return written
