"""Data by spec: `open_data` opens them, `list_data` names what there is. Loads no torch.

scenes?size=32&difficulty=0.3     generated, see `netversus.lab.data.scenes`
digits                            real handwritten digits
folder:PATH?val=0.2, or a path    your own images
hf:NAME_OR_PATH?split=test        a Hugging Face data set, local or from the hub
hf:NAME?streaming=true            the same, read from its parquet files as needed
webdataset:PATH/{000..099}.tar    images in tar shards, on this disk or behind an address
coco:PATH                         pictures with boxes: a folder in COCO's layout, or an annotation file
mot:PATH                          sequences with tracks, in MOTChallenge's layout
"""

from __future__ import annotations

from netversus.lab.data import coco, digits, folder, hf, mot, scenes, shards
from netversus.lab.data.dataset import Dataset, ImageSet
from netversus.lab.data.kind import Kind, Setting
from netversus.lab.data.spec import understand

__all__ = ["Dataset", "ImageSet", "Kind", "Setting", "list_data", "open_data"]

_KINDS = (scenes.KIND, digits.KIND, folder.KIND, hf.KIND, shards.KIND, coco.KIND, mot.KIND)


def open_data(spec: str, *, seed: int = 0, strict: bool = False) -> Dataset:
    """The data that `spec` names.

    Args:
        spec: see the module's docstring; `list_data` tells every kind and its options.
        seed: from which splits and generated images derive; it is recorded in the card.
        strict: stop at a file that cannot be used, instead of naming it in the card.

    Raises:
        SpecError: the spec cannot be understood; the nearest names are told.
        DataError: the data cannot be read as asked.
        MissingExtraError: an optional dependency is needed.
    """
    kind, opening = understand(spec, {kind.name: kind for kind in _KINDS}, seed=seed, strict=strict)
    return kind.open(opening)


def list_data() -> tuple[Kind, ...]:
    """Every kind of data, with its options: see `Kind.settings`."""
    return _KINDS
