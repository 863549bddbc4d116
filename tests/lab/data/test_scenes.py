from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression

from netversus.errors import SpecError
from netversus.lab.data import open_data
from netversus.lab.data.scenes import CLASSES, MIN_VISIBILITY, DetectionFrames, Sequences, open_frames, open_sequences
from netversus.lab.data.scenes.compose import FACTORS
from netversus.lab.data.scenes.description import SHAPES, TEXTURES, Motion
from netversus.lab.data.scenes.draw import Draw
from netversus.lab.data.scenes.surface import REACH, distance, pattern


def _sha(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


def _image(spec: str, split: str, index: int, seed: int = 0) -> Image.Image:
    return open_data(spec, seed=seed).split(split).image(index)


def test_an_image_depends_on_seed_split_and_index_alone():
    large, small = "scenes?train=40&test=9", "scenes?train=8&test=3"
    late = open_data(large).split("train")
    for index in (30, 2, 7):
        late.image(index)
    assert _sha(late.image(5)) == _sha(_image(small, "train", 5))
    assert open_data(large).split("train").labels[:8].tolist() == open_data(small).split("train").labels.tolist()
    different = {
        _sha(_image(small, "train", 0)),
        _sha(_image(small, "train", 1)),
        _sha(_image(small, "test", 0)),
        _sha(_image(small, "train", 0, seed=1)),
        _sha(_image(small + "&difficulty=0.4", "train", 0)),
    }
    assert len(different) == 5


def test_pixels_are_those_of_every_machine():
    """Frozen on x86-64 with numpy 2.4: a change of the generator must change its digests on purpose."""
    images = open_data("scenes?train=16&test=1&difficulty=1").split("train")
    pixels = b"".join(images.image(index).tobytes() for index in range(16))
    assert hashlib.sha256(pixels).hexdigest() == "ec9cf66b7019ca9cb139c99f294a2f9cfeb5b606181fabe59da886bd16f1cb97"


def test_an_image_handed_out_can_be_painted_over():
    images = open_data("scenes?train=1&test=1").split("test")
    before = _sha(images.image(0))
    images.image(0).paste((0, 0, 0), (0, 0, 32, 32))
    assert _sha(images.image(0)) == before


def test_an_image_past_the_end_is_an_index_error():
    images = open_data("scenes?train=1&test=2").split("test")
    assert _sha(images.image(-1)) == _sha(images.image(1))
    with pytest.raises(IndexError):
        images.image(2)


def test_classes_are_balanced_and_independent_of_the_factors():
    images = open_data("scenes?train=1&test=800&difficulty=0.8").split("test")
    assert np.bincount(images.labels).tolist() == [100] * len(CLASSES)
    for levels in images.factors.values():
        for level in set(levels):
            here = np.bincount(images.labels[np.array(levels) == level], minlength=len(CLASSES))
            expected = here.sum() / len(CLASSES)
            assert ((here - expected) ** 2 / expected).sum() < 24.3  # chi-squared, 7 degrees of freedom, p = 0.001


def test_every_image_has_one_known_level_of_every_factor():
    data = open_data("scenes?train=1&test=300&difficulty=0.7")
    images = data.split("test")
    assert tuple(images.factors) == data.card.factors == tuple(FACTORS)
    for factor, levels in images.factors.items():
        assert set(levels) == set(FACTORS[factor])


def test_factors_say_what_is_to_be_seen():
    images = open_data("scenes?train=1&test=240&difficulty=0.6&size=64").split("test")
    pictures = [images.picture(index) for index in range(240)]
    brightness = np.array([np.asarray(picture.image, dtype=float).mean() for picture in pictures])
    seen = np.array([picture.objects[0].visibility if picture.objects else 0.0 for picture in pictures])
    width = np.array([p.objects[0].whole_box[2] - p.objects[0].whole_box[0] if p.objects else 0.0 for p in pictures])

    def means(values, factor):
        levels = np.array(images.factors[factor])
        return {level: values[levels == level].mean() for level in FACTORS[factor]}

    hidden, scale, light = means(seen, "occlusion"), means(width, "scale"), means(brightness, "light")
    assert hidden["none"] > 0.9
    assert hidden["none"] > hidden["part"] + 0.1 > hidden["heavy"] + 0.2
    assert hidden["heavy"] > 0.35
    assert scale["large"] > 1.2 * scale["medium"] > 1.4 * scale["small"]
    assert light["dim"] < 0.75 * light["frontal"]


def test_the_label_is_that_of_the_one_object_of_a_class():
    images = open_data("scenes?train=1&test=40&difficulty=0.2").split("test")
    for index in range(40):
        (seen,) = images.picture(index).objects
        assert seen.label == images.labels[index]


def _features(images) -> np.ndarray:
    """Colours and brightness over the image, which tell nothing of shape and texture."""
    pixels = np.stack([np.asarray(images.image(index), dtype=float) / 255 for index in range(len(images))])
    return np.concatenate([pixels.mean(axis=(1, 2)), pixels.std(axis=(1, 2)), pixels[:, 12:20, 12:20].mean((1, 2))], 1)


def test_colour_does_not_give_the_class_away():
    data = open_data("scenes?train=800&test=400&difficulty=0")
    model = LogisticRegression(max_iter=2000).fit(_features(data.split("train")), data.split("train").labels)
    right = model.score(_features(data.split("test")), data.split("test").labels)
    assert right < 1 / len(CLASSES) + 0.09  # five standard errors


def test_every_shape_comes_in_every_texture():
    assert sorted(CLASSES) == list(CLASSES)
    assert {tuple(name.split("-")) for name in CLASSES} == {(s, t) for s in SHAPES for t in TEXTURES}


@pytest.mark.parametrize("shape", sorted(REACH))
def test_shapes_have_equal_areas_and_stay_within_their_reach(shape):
    place = np.linspace(-2.2, 2.2, 1101)
    inside = distance(shape, place[None, :] + 0 * place[:, None], place[:, None] + 0 * place[None, :]) < 0
    assert inside.mean() * 4.4**2 == pytest.approx(np.pi, rel=0.02)
    x, y = np.meshgrid(place, place)
    assert np.hypot(x, y)[inside].max() <= REACH[shape]


@pytest.mark.parametrize("texture", [*TEXTURES, "checked", "ringed", "plain"])
def test_textures_have_equal_means(texture):
    place = np.linspace(0, 12, 1201)[:-1]
    u, v = np.meshgrid(place, place)
    assert pattern(texture, u, v, 0.6, 50.0).mean() == pytest.approx(0.5, abs=0.02)


def test_boxes_masks_and_visibility_agree():
    frames = DetectionFrames(seed=3, split="train", count=12, size=160, difficulty=0.6)
    listed = 0
    for index in range(len(frames)):
        picture = frames.frame(index)
        claimed = np.zeros((160, 160), dtype=int)
        for seen in picture.objects:
            rows, columns = np.nonzero(seen.mask)
            assert seen.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            left, top, right, bottom = seen.whole_box
            assert left <= seen.box[0] < seen.box[2] <= right
            assert top <= seen.box[1] < seen.box[3] <= bottom
            assert MIN_VISIBILITY <= seen.visibility <= 1
            assert 0 <= seen.label < len(CLASSES)
            claimed += seen.mask
            listed += 1
        assert claimed.max() <= 1
        assert len({seen.track for seen in picture.objects}) == len(picture.objects)
    assert listed > 24


def test_visibility_is_the_share_of_an_object_alone_that_is_left():
    scene = DetectionFrames(0, "train", 30, 200, 0.5)
    from netversus.lab.data.scenes.compose import detection_scene
    from netversus.lab.data.scenes.render import render

    checked = 0
    for index in range(8):
        whole = detection_scene(0, "train", index, 0.5)
        for seen in scene.frame(index).objects:
            thing = next(one for one in whole.things if one.track == seen.track)
            (alone,) = render(type(whole)((thing,), whole.light, whole.background, whole.camera), 200).objects
            if alone.visibility == 1:  # inside the frame
                assert seen.visibility == pytest.approx(seen.mask.sum() / alone.mask.sum(), abs=1e-9)
                assert alone.whole_box == alone.box == seen.whole_box
                checked += 1
    assert checked > 10


@pytest.fixture(scope="module")
def walk() -> list:
    return [list(Sequences(1, "train", 4, 40, 96, 0.6).sequence(index)) for index in range(4)]


def test_tracks_keep_their_class_and_move_smoothly(walk):
    for pictures in walk:
        places: dict[int, tuple[int, np.ndarray]] = {}
        labels: dict[int, int] = {}
        for time, picture in enumerate(pictures):
            for seen in picture.objects:
                assert labels.setdefault(seen.track, seen.label) == seen.label
                centre = np.array([seen.whole_box[0] + seen.whole_box[2], seen.whole_box[1] + seen.whole_box[3]]) / 2
                if seen.track in places and places[seen.track][0] == time - 1:
                    assert np.abs(centre - places[seen.track][1]).max() < 0.08 * 96
                places[seen.track] = (time, centre)


def test_sequences_hold_entries_exits_occlusion_and_crossings_of_one_class(walk):
    entries = exits = hidden = crossings = 0
    for pictures in walk:
        lists = [{seen.track for seen in picture.objects} for picture in pictures]
        entries += len(set.union(*lists) - lists[0])
        exits += len(set.union(*lists) - lists[-1])
        for picture in pictures:
            hidden += sum(seen.visibility < 0.7 for seen in picture.objects)
            for a in picture.objects:
                for b in picture.objects:
                    crossings += a.track < b.track and a.label == b.label and _overlap(a.whole_box, b.whole_box)
    assert min(entries, exits) >= 2
    assert crossings >= 10
    assert hidden >= 20


def _overlap(a, b) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def test_a_frame_of_a_sequence_depends_on_its_time_alone():
    sequence = Sequences(1, "test", 3, 20, 64, 0.5).sequence(2)
    assert _sha(list(sequence)[11].image) == _sha(Sequences(1, "test", 9, 20, 64, 0.5).sequence(2).frame(11).image)
    assert _sha(sequence.frame(11).image) != _sha(sequence.frame(12).image)


def test_a_motion_is_at_its_place_at_its_time_and_bends():
    motion = Motion(at=10, velocity=(0.02, 0), acceleration=(0, 0.001), sway=(0, 0.01), rate=0.05)
    assert motion.offset(10) == (0, 0)
    before, after = motion.offset(0), motion.offset(20)
    assert before[0] == pytest.approx(-0.2)
    assert after[0] == pytest.approx(0.2)
    assert after[1] == pytest.approx(0.05 + 0.01 * np.sin(2 * np.pi * 0.5), abs=1e-6)


def test_sets_with_boxes_open_by_the_same_spec_with_their_own_defaults():
    assert {split: len(frames) for split, frames in open_frames("scenes").items()} == {"train": 1500, "test": 300}
    sequences = open_sequences("scenes?frames=30&test=3", seed=4)
    assert (len(sequences["train"]), len(sequences["test"])) == (20, 3)
    assert len(sequences["test"].sequence(2)) == 30
    with pytest.raises(SpecError, match="only scenes have boxes"):
        open_frames("digits")
    with pytest.raises(SpecError, match="did you mean frames"):
        open_sequences("scenes?frame=3")


def test_draws_are_uniform_and_weighted_as_told():
    draw = Draw("test", 1)
    picks = [draw.weighted({"a": 0.0, "b": 3.0, "c": 1.0}) for _ in range(4000)]
    assert picks.count("a") == 0
    assert abs(picks.count("b") / 4000 - 0.75) < 0.03
    assert sorted(draw.shuffled(range(9))) == list(range(9))
    firsts = [Draw("test", seed).shuffled(range(4))[0] for seed in range(400)]
    assert min(firsts.count(value) for value in range(4)) > 60
    assert all(2 <= draw.log_uniform(2, 8) < 8 for _ in range(100))
