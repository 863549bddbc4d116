"""A transformers image processor (preprocessor_config.json) in our terms. Loads neither transformers nor torch.

What transformers' own processors make of an image differs from ours by a rounding: they resize tensors, we resize
images, and where an odd number of pixels is cut away, their crop may lie one pixel beside ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isclose
from typing import Any, Literal

from netversus.errors import WeightsError
from netversus.records import Preprocessing

_RESAMPLE: Mapping[Any, Literal["nearest", "bilinear", "bicubic"]] = {0: "nearest", 2: "bilinear", 3: "bicubic"}
# Where a size is one number: the side of a square for these, the shorter side for those.
_SQUARE = ("ViT", "DeiT", "Beit", "EfficientNet")
_SHORTER = ("ConvNext", "Bit", "CLIP", "MobileNetV1", "MobileNetV2", "MobileViT")
# What no Preprocessing says; only these values leave the image as it would be without.
_HARMLESS: Mapping[str, tuple[Any, ...]] = {
    "do_resize": (True, None),
    "do_rescale": (True, None),
    "do_flip_channel_order": (False, None),
    "do_pad": (False, None),
    "rescale_offset": (False, None),
    "include_top": (False, None),
}
_WARPS_FROM = 384  # ConvNeXt's processor crops below this side in pixels, and squashes from it on


def preprocessing_of(own: Mapping[str, Any], origin: str) -> Preprocessing:
    """The preprocessing that the content of a preprocessor_config.json asks for.

    Raises:
        WeightsError: it cannot be reproduced here; the message names what is in the way.
    """
    for name, harmless in _HARMLESS.items():
        if own.get(name) not in harmless:
            raise _refused(origin, f"{name} is {own[name]}")
    factor = own.get("rescale_factor", 1 / 255)
    if not isinstance(factor, int | float) or not isclose(factor, 1 / 255, rel_tol=1e-4):
        raise _refused(origin, f"rescale_factor is {factor}, not 1/255")
    if own.get("resample") not in _RESAMPLE:
        raise _refused(origin, f"resample is {own.get('resample')}")
    crop, resize, squash = _sizes(own, origin)
    plain = own.get("do_normalize") is False
    mean = (0.0, 0.0, 0.0) if plain else _three(own, "image_mean", origin)
    std = (1.0, 1.0, 1.0) if plain else _three(own, "image_std", origin)
    return Preprocessing(crop, resize, _RESAMPLE[own["resample"]], mean, std, squash=squash)


def _refused(origin: str, reason: str) -> WeightsError:
    return WeightsError(
        f"the preprocessing in {origin} cannot be reproduced here: {reason}",
        hint="py:MODULE:FACTORY may load it, with ?crop=, ?mean= and ?std=",
    )


def _three(own: Mapping[str, Any], name: str, origin: str) -> tuple[float, float, float]:
    value = own.get(name)
    found = [value] * 3 if isinstance(value, int | float) else value
    if not isinstance(found, list) or len(found) != 3 or not all(isinstance(x, int | float) for x in found):
        raise _refused(origin, f"{name} is {value}")
    return (float(found[0]), float(found[1]), float(found[2]))


def _sizes(own: Mapping[str, Any], origin: str) -> tuple[int, int, bool]:
    """Crop and resize in pixels, and whether both sides are resized."""
    kind = str(own.get("image_processor_type") or own.get("feature_extractor_type") or "")
    size = own.get("size")
    if isinstance(size, int):
        square = kind.startswith(_SQUARE)
        if not square and not kind.startswith(_SHORTER):
            raise _refused(origin, f"size is {size} of a {kind or 'processor without a type'}")
        size = {"height": size, "width": size} if square else {"shortest_edge": size}
    sides = size if isinstance(size, Mapping) else {}
    edge, height = sides.get("shortest_edge"), sides.get("height")
    if isinstance(edge, int) and kind.startswith("ConvNext"):
        warps = edge >= _WARPS_FROM
        return edge, edge if warps else int(edge / own.get("crop_pct", 224 / 256)), warps
    cropped = _crop(own)
    if isinstance(height, int) and height == sides.get("width"):
        return (height if cropped is None else cropped), height, True
    # Others with a crop_pct, and LeViT's, enlarge the side first, each by a rule of its own.
    if isinstance(edge, int) and cropped is not None and "crop_pct" not in own and not kind.startswith("Levit"):
        return cropped, edge, False
    raise _refused(origin, f"size is {size} and the crop {own.get('crop_size')} of a {kind or 'processor'}")


def _crop(own: Mapping[str, Any]) -> int | None:
    """The side of the square that is cut from the centre; None where nothing is cut, or no square."""
    found = own.get("crop_size")
    if isinstance(found, Mapping):
        found = found.get("height") if found.get("height") == found.get("width") else None
    return found if isinstance(found, int) and own.get("do_center_crop", True) else None
