from __future__ import annotations

import pytest

from netversus.lab.corruptions import COMMON, SEVERITIES
from netversus.studies.corruption import CorruptionOptions, shown
from netversus.studies.corruption.exhibit import FROST, NAMES, _alexnet, mean_corruption_error


def test_the_mce_of_the_baseline_itself_is_one_and_halves_with_its_errors() -> None:
    rows = {(name, s): 0.1 * s for name in COMMON for s in SEVERITIES}
    base = {name: sum(1 - 0.1 * s for s in SEVERITIES) for name in COMMON}
    assert mean_corruption_error(rows, base) == pytest.approx(1)
    better = {place: 1 - (1 - value) / 2 for place, value in rows.items()}
    assert mean_corruption_error(better, base) == pytest.approx(0.5)


def test_a_missing_corruption_or_a_faultless_baseline_gives_no_mce() -> None:
    rows = {(name, s): 0.5 for name in COMMON for s in SEVERITIES}
    assert mean_corruption_error({k: v for k, v in rows.items() if k != ("fog", 3)}, {"fog": 2.5}) is None
    assert mean_corruption_error(rows, {"fog": 0.0}) is None
    assert mean_corruption_error(rows, {}) is None


def test_resnet_50s_published_mce_comes_out_of_its_published_errors() -> None:
    """Hendrycks and Dietterich 2019, Table 1: ResNet-50's error of each corruption relative to AlexNet's (%), without
    frost; the mean over all 15 is 76.7 with frost's 75."""
    relative = (80, 82, 83, 75, 89, 78, 80, 78, 66, 57, 71, 85, 77, 77)
    names = [name for name in COMMON if name != FROST]
    alexnet = _alexnet()
    rows = {
        (name, s): 1 - share / 100 * alexnet[name] / 5
        for name, share in zip(names, relative, strict=True)
        for s in SEVERITIES
    }
    without_frost = mean_corruption_error(rows, alexnet)
    assert without_frost is not None
    assert (14 * 100 * without_frost + 75) / 15 == pytest.approx(76.7, abs=0.2)


def test_alexnet_has_every_common_corruption_but_the_one_that_is_drawn() -> None:
    assert set(_alexnet()) == set(COMMON) - {FROST}
    assert all(0 < error < 5 for error in _alexnet().values())


def test_what_is_shown_beside_the_common_ones_is_the_users_choice() -> None:
    assert shown(CorruptionOptions(more="none")) == COMMON
    assert len(shown(CorruptionOptions(more="extra"))) == 19
    assert len(shown(CorruptionOptions(more="all"))) == len(NAMES) == 23
