"""Writes reference.json: what the program imagecorruptions 1.1.2 makes of the pictures of formula_pictures.py.

It needs an environment of its own, for that program runs with old libraries only (and the names that newer ones gave
up are put back here):

    uv venv peer && uv pip install --python peer imagecorruptions==1.1.2 'numpy<2' scikit-image opencv-python-headless
    peer/bin/python tests/lab/corruptions/make_reference.py
"""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import numpy as np
import scipy.ndimage
import skimage.filters

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

SIDE, PICTURES, STEP = 224, 2, 16


def load():
    """The peer's `corrupt` and names, with what it misses put back."""
    interpolation = types.ModuleType("scipy.ndimage.interpolation")
    interpolation.map_coordinates = scipy.ndimage.map_coordinates
    sys.modules["scipy.ndimage.interpolation"] = interpolation
    vars(np)["float_"] = np.float64
    resources = types.ModuleType("pkg_resources")
    resources.resource_filename = lambda name, path: str(Path(sys.modules[name].__file__).parent / path)
    sys.modules["pkg_resources"] = resources
    plain = skimage.filters.gaussian

    def gaussian(image, *args, multichannel=None, **kwargs):
        return plain(image, *args, channel_axis=-1 if multichannel else None, **kwargs)

    skimage.filters.gaussian = gaussian
    from imagecorruptions import corrupt, get_corruption_names

    return corrupt, get_corruption_names("all")


def main() -> None:
    from formula_pictures import picture

    corrupt, names = load()
    np.random.seed(0)  # noqa: NPY002  the peer draws from it
    found = {}
    for name in names:
        for severity in range(1, 6):
            clean = [picture(number, SIDE) for number in range(PICTURES)]
            made = [corrupt(each, severity, name) for each in clean]
            change = [np.abs(m.astype(float) - c).mean() for m, c in zip(made, clean, strict=True)]
            found[f"{name}/{severity}"] = {
                "mean": float(np.mean(made)),
                "deviation": float(np.std(made)),
                "change": float(np.mean(change)),
                "pixels": made[0][STEP // 2 :: STEP, STEP // 2 :: STEP].reshape(-1).tolist(),
            }
    (HERE / "reference.json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
