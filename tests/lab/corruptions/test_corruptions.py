from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from formula_pictures import picture
from netversus.errors import OptionError
from netversus.lab.corruptions import COMMON, CORRUPTIONS, EXTRA, SEVERITIES, SWEEPS, blur, size_of
from netversus.lab.corruptions.chance import Chance
from netversus.lab.corruptions.corrupt import _FUNCTIONS, corrupt
from netversus.lab.corruptions.digital import elastic_transform
from netversus.lab.corruptions.filters import mirror_blur, smeared, zoomed
from netversus.lab.corruptions.levels import level
from netversus.lab.corruptions.weather import plasma

REFERENCE = json.loads((Path(__file__).parent / "reference.json").read_text())
EXACT = (
    "defocus_blur",
    "zoom_blur",
    "brightness",
    "contrast",
    "pixelate",
    "jpeg_compression",
    "gaussian_blur",
    "saturate",
)
STEP = 16


@pytest.fixture(scope="module")
def large() -> torch.Tensor:
    return torch.stack([torch.from_numpy(picture(n, 224)).permute(2, 0, 1) for n in range(2)]).contiguous()


@pytest.fixture(scope="module")
def small() -> torch.Tensor:
    return torch.stack([torch.from_numpy(picture(n, 32)).permute(2, 0, 1) for n in range(4)]).contiguous()


def whole(image: torch.Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).double().numpy()


@pytest.mark.parametrize("severity", SEVERITIES)
@pytest.mark.parametrize("name", EXACT)
def test_what_is_deterministic_is_the_reference_programs_to_one_level(large, name: str, severity: int) -> None:
    made = corrupt(large[:1], name, severity, ["a"])[0]
    peer = np.array(REFERENCE[f"{name}/{severity}"]["pixels"])
    ours = whole(made)[STEP // 2 :: STEP, STEP // 2 :: STEP].reshape(-1)
    assert np.abs(ours - peer).max() <= 1
    assert np.abs(ours - peer).mean() < 0.2


BOUNDED = [name for name in (*COMMON, *EXTRA) if name not in (*EXACT, "frost", "elastic_transform", "spatter", "fog")]


@pytest.mark.parametrize("name", BOUNDED)
def test_what_has_chance_in_it_has_the_reference_programs_statistics(large, name: str) -> None:
    for severity in (1, 5):
        peer = REFERENCE[f"{name}/{severity}"]
        made = corrupt(large, name, severity, ["a", "b"]).double()
        change = float((made - large).abs().mean())
        # A shake's angle alone moves these by a third from picture to picture; noise is the same to a percent.
        near = 0.4 if name == "motion_blur" else 0.03
        assert float(made.mean()) == pytest.approx(peer["mean"], rel=0.02)
        assert float(made.std(correction=0)) == pytest.approx(peer["deviation"], rel=0.1 if near > 0.1 else 0.04)
        assert change == pytest.approx(peer["change"], rel=near)


@pytest.mark.parametrize("name", ["fog", "spatter"])
def test_a_few_large_shapes_are_as_strong_as_the_references(name: str) -> None:
    """Over more images: a single cloud may lie anywhere."""
    clean = torch.stack([torch.from_numpy(picture(n % 2, 224)).permute(2, 0, 1) for n in range(8)])
    for severity in (1, 3, 5):
        made = corrupt(clean, name, severity, list("abcdefgh")).double()
        peer = REFERENCE[f"{name}/{severity}"]
        assert float((made - clean).abs().mean()) == pytest.approx(peer["change"], rel=0.35)


def test_noise_has_the_published_strength() -> None:
    grey = torch.full((1, 3, 128, 128), 0.5)
    for severity in SEVERITIES:
        made = corrupt(grey[..., :32, :32].repeat(1, 1, 1, 1), "gaussian_noise", severity, ["a"])
        assert float(made.std()) == pytest.approx(level("gaussian_noise", severity, 32)[0], rel=0.05)
        shot = corrupt(grey, "shot_noise", 1, ["a"])
        assert float(shot.var()) == pytest.approx(0.5 / level("shot_noise", 1, 128)[0], rel=0.05)
    flipped = corrupt(grey, "impulse_noise", 5, ["a"])
    assert float((flipped != 0.5).float().mean()) == pytest.approx(0.27, rel=0.05)
    assert float((flipped == 0).float().mean()) == pytest.approx(0.135, rel=0.08)


def test_glass_blur_is_the_walk_pixel_by_pixel() -> None:
    side, reach = 40, 2
    steps = torch.randint(-reach, reach, (2, side, side), generator=torch.Generator().manual_seed(3))
    values = np.random.default_rng(0).integers(0, 256, (side, side, 3))
    slow = values.copy()
    for row in range(side - reach, reach, -1):
        for column in range(side - reach, reach, -1):
            slow[row, column] = slow[row + int(steps[0, row, column]), column + int(steps[1, row, column])]
    fast = values.reshape(-1, 3)[blur.shuffled(steps[0], steps[1], reach).numpy()].reshape(side, side, 3)
    assert (fast == slow).all()
    assert (slow != values).any()


@pytest.mark.parametrize("angle", [-45.0, -10.0, 0.0, 30.0, -90.0, -120.0])
def test_a_shake_is_the_sum_of_shifted_images(angle: float) -> None:
    image = np.random.default_rng(1).random((24, 30))
    radius, sigma = 4, 2.0
    weights = np.exp(-0.5 * (np.arange(9) / sigma) ** 2)
    expected = np.zeros_like(image)
    for step, weight in enumerate(weights / weights.sum()):
        down = -int(np.ceil(step * np.sin(np.deg2rad(angle)) - 0.5))
        across = -int(np.ceil(step * np.cos(np.deg2rad(angle)) - 0.5))
        expected += weight * ndimage.shift(image, (down, across), order=0, mode="nearest")
    found = smeared(torch.from_numpy(image)[None].float(), radius, sigma, angle)[0]
    assert np.abs(found.numpy() - expected).max() < 1e-5


@pytest.mark.parametrize("factor", [1.0, 1.07, 1.26, 2.25])
def test_a_zoom_is_scipys(factor: float) -> None:
    image = np.random.default_rng(2).random((32, 32))
    rows = int(np.ceil(32 / factor))
    top = (32 - rows) // 2
    large = ndimage.zoom(image[top : top + rows, top : top + rows], factor, order=1)
    start = (len(large) - 32) // 2
    found = zoomed(torch.from_numpy(image)[None].float(), factor)[0].numpy()
    assert np.abs(found - large[start : start + 32, start : start + 32]).max() < 1e-5


@pytest.mark.parametrize("sigma", [0.6, 3.0, 40.0])
def test_a_blur_wider_than_the_image_is_mirrored_as_scipy_does(sigma: float) -> None:
    image = np.random.default_rng(3).random((32, 48))
    expected = ndimage.gaussian_filter(image, sigma, mode="reflect", truncate=3)
    found = mirror_blur(32, sigma, 3.0) @ torch.from_numpy(image).float() @ mirror_blur(48, sigma, 3.0).T
    assert np.abs(found.numpy() - expected).max() < 1e-5


def test_the_elastic_transform_samples_as_scipy_does(small) -> None:
    """The whole of it, by other means: the affine map by least squares, the sampling by map_coordinates."""
    image, numbers = small[0].float() / 255, level("elastic_transform", 3, 32)
    chance = Chance("a")
    corners = np.array([[26, 26], [26, 6], [6, 6]], dtype=float)
    moved = corners + chance.uniform(3, 2, low=-numbers[2], high=numbers[2]).double().numpy()
    back = np.linalg.lstsq(np.c_[moved, np.ones(3)], corners, rcond=None)[0]
    rows, columns = np.mgrid[:32, :32].astype(float)
    source = np.stack([columns, rows, np.ones_like(rows)], axis=-1) @ back
    steps = chance.uniform(2, 32, 32, low=-1.0).double().numpy()
    dx, dy = (ndimage.gaussian_filter(each, numbers[1], mode="reflect", truncate=3) * numbers[0] for each in steps)
    expected = []
    for channel in image.double().numpy():
        straight = ndimage.map_coordinates(channel, [source[..., 1], source[..., 0]], order=1, mode="mirror")
        expected.append(ndimage.map_coordinates(straight, [rows + dy, columns + dx], order=1, mode="reflect"))
    found = elastic_transform(image, numbers, Chance("a")).numpy()
    assert np.abs(found - np.array(expected)).max() < 1e-3


def test_a_plasma_is_filled_square_by_square_and_diamond_by_diamond() -> None:
    size, decay = 8, 1.7
    luck = np.random.default_rng(4).uniform(-1, 1, (size, size))
    table, step, height = np.zeros((size, size)), size, 100.0
    while step >= 2:
        half, bump = step // 2, height**2
        for i in range(half, size, step):
            for j in range(half, size, step):
                around = [table[(i + a) % size, (j + b) % size] for a in (-half, half) for b in (-half, half)]
                table[i, j] = np.mean(around) + bump * luck[i, j]
        for i in range(0, size, half):
            for j in range((i + half) % step, size, step):
                near = ((-half, 0), (half, 0), (0, -half), (0, half))
                around = [table[(i + a) % size, (j + b) % size] for a, b in near]
                table[i, j] = np.mean(around) + bump * luck[i, j]
        step, height = half, height / decay
    expected = (table - table.min()) / np.ptp(table)
    assert np.abs(plasma(torch.from_numpy(luck).float(), decay).numpy() - expected).max() < 1e-4


def test_jpeg_is_pillows(small) -> None:
    file = io.BytesIO()
    Image.fromarray(small[1].permute(1, 2, 0).numpy()).save(file, "JPEG", quality=58)
    expected = np.asarray(Image.open(file))
    assert (corrupt(small, "jpeg_compression", 3, list("abcd"))[1].permute(1, 2, 0).numpy() == expected).all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_an_image_is_corrupted_the_same_whoever_stands_beside_it(small, name: str) -> None:
    together = corrupt(small, name, 4, list("abcd"))
    assert together.dtype == torch.uint8
    assert together.shape == small.shape
    assert (together != small).any()
    for place, unit in enumerate("abcd"):
        assert torch.equal(corrupt(small[place : place + 1], name, 4, [unit])[0], together[place])
    if name not in (*EXACT, *SWEEPS):
        assert not torch.equal(corrupt(small[:1], name, 4, ["a"], seed=1), together[:1])


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"saturate", "elastic_transform"}))
def test_the_worst_is_worse_than_the_least(small, name: str) -> None:
    images = small.repeat(8, 1, 1, 1)
    ids = [str(n) for n in range(len(images))]
    change = [(corrupt(images, name, s, ids).float() - images).abs().mean() for s in (1, 5)]
    assert change[1] > change[0]


def test_floats_stay_floats_in_range(small) -> None:
    for name in CORRUPTIONS:
        made = corrupt(small.float() / 255, name, 5, list("abcd"))
        assert made.dtype == torch.float32
        assert 0 <= float(made.min()) <= float(made.max()) <= 1


def test_images_need_not_be_square(small) -> None:
    for name in CORRUPTIONS:
        made = corrupt(small[..., :20], name, 5, list("abcd"))
        assert made.shape == (4, 3, 32, 20)


def test_every_name_has_a_function_and_strengths_for_every_size() -> None:
    assert tuple(_FUNCTIONS) == CORRUPTIONS
    assert (len(COMMON), len(EXTRA), len(SWEEPS)) == (15, 4, 4)
    assert [size_of(side) for side in (32, 64, 224)] == ["small", "medium", "large"]
    for name in CORRUPTIONS:
        for side in (32, 64, 224):
            assert len({len(level(name, severity, side)) for severity in SEVERITIES}) == 1


def test_mistakes_are_told_in_one_line(small) -> None:
    ids = list("abcd")
    with pytest.raises(OptionError, match="did you mean motion_blur"):
        corrupt(small, "motionblur", 1, ids)
    with pytest.raises(OptionError, match="from 1 to 5, got 6"):
        corrupt(small, "fog", 6, ids)
    with pytest.raises(OptionError, match="not been normalised"):
        corrupt(small.float() / 100 - 1, "fog", 1, ids)
    with pytest.raises(OptionError, match="sides of 16 px"):
        corrupt(small[..., :8, :8], "fog", 1, ids)
    with pytest.raises(OptionError, match="expected 3 images"):
        corrupt(small, "fog", 1, ids[:3])
