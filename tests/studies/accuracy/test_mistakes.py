"""Thumbnails of mistakes: a bounded few, chosen without regard to who else is measured, shown where another was right."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from netversus import api
from netversus.evidence import StudyEvidence
from netversus.exhibits import Gallery
from netversus.studies.accuracy.disagreement import MOST_SHOWN, disagreements
from netversus.studies.accuracy.mistakes import FILE, MOST, SIDE, Mistake, dumped, loaded

NAMES = ("py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch")
QUICK = {"training": {"samples": 2000, "rounds": 1, "curve_images": 20}, "accuracy": {"images": 250, "batch": 50}}


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> StudyEvidence:
    out: Path = tmp_path_factory.mktemp("mistakes") / "run"
    run = api.compare(*NAMES, studies=["training", "accuracy"], options=QUICK, out=out)
    return StudyEvidence(run.store, run.plan, "accuracy")


def test_a_file_of_mistakes_is_read_back_as_it_was():
    mistake = Mistake("test/1", 3, 5, b"\xff\xd8\xff", 80, 60, {"light": "dim"})
    assert loaded(dumped([mistake])) == [mistake]
    assert loaded(None) == []


def test_the_first_mistakes_are_kept_in_the_order_of_reading(evidence: StudyEvidence):
    for name in NAMES:
        top1, predicted = evidence.series(name, "top1"), evidence.series(name, "predicted")
        assert top1 is not None
        assert predicted is not None
        wrong = [
            (u, int(p)) for u, p, right in zip(top1.units, predicted.values, top1.values, strict=True) if not right
        ]
        kept = loaded(evidence.artifact(FILE, name))
        assert kept
        assert [(each.unit, each.predicted) for each in kept] == wrong[:MOST]


def test_thumbnails_are_small_pictures(evidence: StudyEvidence):
    for mistake in loaded(evidence.artifact(FILE, NAMES[0])):
        image = Image.open(BytesIO(mistake.jpeg))
        assert image.format == "JPEG"
        assert image.size == (mistake.width, mistake.height)
        assert max(image.size) <= SIDE
        assert len(mistake.jpeg) < 8000


def test_a_gallery_holds_only_images_on_which_exactly_one_is_right(evidence: StudyEvidence):
    (gallery,) = disagreements(evidence)
    assert isinstance(gallery, Gallery)
    right = {}
    for name in NAMES:
        series = evidence.series(name, "top1")
        assert series is not None
        right[name] = dict(zip(series.units, series.values, strict=True))
    for picture in gallery.pictures:
        unit = picture.alt.split()[1]
        (who,) = [name for name in NAMES if f"only {name} is right" in picture.tags]
        assert [name for name in NAMES if right[name][unit]] == [who]
    directions = [picture.tags[0] for picture in gallery.pictures]
    assert max(map(directions.count, set(directions))) <= MOST_SHOWN
