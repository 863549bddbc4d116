"""What is seen in a box, and the animation of a sequence."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from netversus.errors import CellError
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.preprocessing import normalise
from netversus.lab.tracking import appearance
from netversus.lab.tracking.appearance import Eye, look, random_twin
from netversus.lab.tracking.film import MOST_BYTES, MOST_PICTURES, film, size_of
from netversus.lab.tracking.given import Shown, true_boxes
from netversus.lab.tracking.tracks import truth_of
from tiny_nets import narrow

CPU = torch.device("cpu")
SPEC = "scenes?size=16&train=4&test=4&frame_size=64&frames=1&test_frames=1&sequences=1&test_sequences=1&length=5"


@pytest.fixture(scope="module")
def scenes():
    return open_data(SPEC, seed=1)


@pytest.fixture(scope="module")
def clip(scenes):
    return scenes.sequences["test"][0]


@pytest.fixture
def eye(scenes) -> Eye:
    torch.manual_seed(0)
    return Eye.of(resolve("py:tiny_nets:narrow@scratch", scenes.card), narrow().eval(), CPU)


def test_a_box_is_cut_out_and_seen_as_the_last_layer_would(clip, eye):
    shown = true_boxes(truth_of(clip))
    seen = look(clip, {"it": shown}, {"me": eye})["me", "it"]
    assert [len(one) for one in seen] == [len(one) for one in shown]
    frame = next(frame for frame, one in enumerate(shown) if len(one))
    left, top, right, bottom = shown[frame].corners[0].astype(int).tolist()
    side = eye.card.preprocessing.crop
    cut = clip.image(frame).crop((left, top, right, bottom)).resize((side, side), Image.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.array(cut)).permute(2, 0, 1)[None]
    with torch.no_grad():
        expected = eye.backbone.model[:-1](normalise(pixels, eye.card.preprocessing))
    assert np.allclose(seen[frame][0], expected[0].numpy(), atol=1e-4)


def test_what_is_seen_does_not_depend_on_how_many_are_shown_at_once(clip, eye, monkeypatch):
    shown = true_boxes(truth_of(clip))
    at_once = look(clip, {"it": shown}, {"me": eye})["me", "it"]
    monkeypatch.setattr(appearance, "AT_ONCE", 1)
    one_by_one = look(clip, {"it": shown}, {"me": eye})["me", "it"]
    assert all(np.array_equal(a, b) for a, b in zip(at_once, one_by_one, strict=True))


def test_a_box_over_the_edge_or_beyond_it_or_without_a_pixel_is_still_seen(clip, eye):
    corners = np.array([[-30.0, -30, 20, 20], [500, 500, 600, 600], [10, 10, 10.2, 10.2], [60, 60, 90, 90]])
    odd = Shown(corners, np.ones(4), np.full(4, -1))
    nothing = Shown(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    (first, second) = look(clip, {"it": [odd, nothing]}, {"me": eye})["me", "it"]
    assert first.shape == (4, 8)
    assert np.isfinite(first).all()
    assert len(second) == 0


def test_features_that_are_no_numbers_are_refused(clip, eye):
    nn.init.constant_(eye.backbone.model[0].weight, float("nan"))
    with pytest.raises(CellError, match="gave NaN or infinite features of a box"):
        look(clip, {"it": true_boxes(truth_of(clip))}, {"me": eye})


def test_a_random_twin_has_other_weights_that_follow_from_the_seed_alone():
    torch.manual_seed(3)
    net = narrow()
    before, state = net[0].weight.clone(), torch.random.get_rng_state()
    one, two = random_twin(narrow(), 7), random_twin(net, 7)
    assert torch.equal(one[0].weight, two[0].weight)
    assert not torch.equal(before, two[0].weight)
    torch.random.set_rng_state(state)
    first = torch.rand(3)
    torch.random.set_rng_state(state)
    random_twin(net, 8)
    assert torch.equal(first, torch.rand(3))  # nobody else's random numbers change


def test_a_film_moves_shows_numbers_and_stays_small(clip):
    tracks = truth_of(clip).tracks
    content = film(clip, tracks, len(clip))
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.format == "GIF"
        assert opened.n_frames == min(len(clip), MOST_PICTURES)
        assert opened.size == size_of(content) == (192, 192)
    assert len(content) <= MOST_BYTES


def test_a_film_that_would_be_too_large_is_made_smaller(clip, monkeypatch):
    tracks = truth_of(clip).tracks
    monkeypatch.setattr("netversus.lab.tracking.film.MOST_BYTES", 1)
    content = film(clip, tracks, len(clip))
    assert size_of(content) == (96, 96)
    with Image.open(io.BytesIO(content)) as opened:
        assert opened.n_frames == 2
