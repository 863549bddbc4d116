"""The recognition study on tiny networks, digits and scenes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from netversus.errors import CellError
from netversus.lab.bench import Bench
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.lab.data.annotated import Boxes, FrameSet
from netversus.lab.shortage import MEMORY_FILE
from netversus.records import Observations
from netversus.studies.recognition import RecognitionOptions
from netversus.studies.recognition.measure import _crops, cut_out, measure

NARROW, WIDE = "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"
SCENES = "scenes?size=16&train=40&test=20&frame_size=64&frames=1&test_frames=4&sequences=1&test_sequences=1&length=2"


@pytest.fixture
def make_bench(tmp_path: Path) -> Callable[..., Bench]:
    def make(data_spec: str = "digits", *specs: str, **options: object) -> Bench:
        data = open_data(data_spec)

        def scratch(name: str) -> Path:
            folder = tmp_path / str(len(data_spec)) / name.replace(":", "_").replace("@", "_")
            folder.mkdir(parents=True, exist_ok=True)
            return folder

        return Bench(
            contenders=[resolve(spec, data.card) for spec in specs or (NARROW, WIDE)],
            data=data,
            options=RecognitionOptions(**{"images": 40, "gallery": 80} | options),  # type: ignore[arg-type]
            seed=0,
            device=torch.device("cpu"),
            stored=lambda *_: (),
            scratch=scratch,
            flush=lambda: None,
        )

    return make


def observed(bench: Bench) -> dict[tuple[str, str], dict[str, float]]:
    seen: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    for emission in measure(bench):
        if isinstance(emission, Observations):
            seen[emission.contender, emission.metric] |= dict(zip(emission.units, emission.values, strict=True))
    return seen


class Drawn(FrameSet):
    """One picture with the boxes that are asked for."""

    def __init__(self, corners: list[tuple[float, float, float, float]], *, crowd: bool = False) -> None:
        self.ids = ("one",)
        n = len(corners)
        self._boxes = Boxes(
            np.array(corners, dtype=np.float64).reshape(-1, 4),
            np.arange(n),
            np.ones(n),
            np.full(n, crowd),
            np.full(n, -1),
        )

    def image(self, index: int) -> Image.Image:
        rows, columns = np.mgrid[:20, :30]
        return Image.fromarray(np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8))

    def boxes(self, index: int) -> Boxes:
        return self._boxes


def test_every_contender_meets_the_same_queries(make_bench):
    seen = observed(make_bench())
    names = {contender for contender, _ in seen}
    assert len({tuple(seen[name, "recall_at_1"]) for name in names}) == 1
    for name in names:
        first, five = (np.array(list(seen[name, f"recall_at_{k}"].values())) for k in (1, 5))
        assert (first <= five).all()


def test_without_boxes_there_are_no_objects_and_with_them_a_share_a_picture(make_bench):
    assert not any(metric.startswith("crop") for _, metric in observed(make_bench()))
    seen = observed(make_bench(SCENES, WIDE, images=20, gallery=40))
    name = next(contender for contender, _ in seen)
    shares, objects = seen[name, "crop_top1"], seen[name, "crop_objects"]
    assert list(shares) == list(objects)
    assert all(abs(share * objects[unit] - round(share * objects[unit])) < 1e-9 for unit, share in shares.items())


def test_a_query_without_its_class_in_the_gallery_is_left_out(make_bench):
    bench = make_bench(images=60, gallery=6)
    seen = observed(bench)
    name = next(contender for contender, _ in seen)
    assert 0 < len(seen[name, "verified"]) < 60


def test_a_gallery_of_one_class_has_nothing_to_find(make_bench):
    bench = make_bench(images=2, gallery=2)
    bench.data.splits["train"].labels[:] = 3
    with pytest.raises(CellError, match="none of the test images"):
        observed(bench)


@pytest.mark.usefixtures("crowded")
def test_where_memory_runs_out_fewer_are_shown_at_once_and_it_is_kept(make_bench):
    bench, kept = make_bench(SCENES, WIDE, images=20, gallery=40), {}
    bench.keep = lambda artifact: kept.update({(artifact.contender, artifact.name): artifact.content})
    seen, name = observed(bench), bench.contenders[0].name
    assert seen[name, "verified"]
    assert seen[name, "crop_top1"]
    assert kept == {(name, MEMORY_FILE): b"[64, 32]"}


@pytest.mark.usefixtures("crowded")
def test_objects_are_shown_as_many_at_once_as_fit_too(make_bench):
    bench, kept = make_bench(SCENES, WIDE, images=20, gallery=40), []
    bench.keep = kept.append
    assert [each for each in _crops(bench) if isinstance(each, Observations)]
    assert {each.name for each in kept} == {MEMORY_FILE}


def test_a_crop_is_a_square_around_its_box_and_stays_in_the_picture():
    crops = cut_out(Drawn([(10, 4, 14, 12), (25, 15, 30, 20)]), 0)
    assert [image.size for image in crops.images] == [(8, 8), (5, 5)]
    first = np.asarray(crops.images[0])
    assert first[0, 0].tolist() == [8, 4, 0]  # from column 8, row 4
    assert np.asarray(crops.images[1])[-1, -1].tolist() == [29, 19, 0]


def test_crowds_are_no_objects_and_specks_are_counted():
    assert cut_out(Drawn([(0, 0, 10, 10)], crowd=True), 0).images == ()
    assert cut_out(Drawn([(0, 0, 3, 10), (0, 0, 10, 10)]), 0).small == 1
