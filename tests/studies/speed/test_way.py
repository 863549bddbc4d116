"""The way of an image, on a clock that only the parts under test move."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import torch
from PIL import Image

from made_images import Files, encoded, smooth
from netversus.errors import DataError, UnreadableError
from netversus.lab.data import open_data
from netversus.lab.data.dataset import ImageSet
from netversus.lab.timing.stopwatch import Stopwatch
from netversus.records import ContenderCard, Preprocessing
from netversus.studies.speed import WAY_IMAGES, WAY_REPETITIONS, SpeedOptions
from netversus.studies.speed import way as module
from netversus.studies.speed.rig import Contender, Rig
from netversus.studies.speed.step import DECODE, MOVE, NETWORK, NORMALISE, READ, RESIZE
from netversus.studies.speed.way import way

if TYPE_CHECKING:
    from conftest import Clock, Net

CPU = torch.device("cpu")
MakeRig = Callable[..., Rig]
MakeNet = Callable[..., "Net"]
MakeBench = Callable[..., SimpleNamespace]
ALL = 1 + WAY_REPETITIONS


class Pictures(Files):
    """Files whose bytes take `reading` seconds of the clock."""

    def __init__(self, clock: Clock, count: int, reading: float = 0.001) -> None:
        super().__init__([encoded(smooth(seed, (48, 40))) for seed in range(count)])
        self.clock, self.reading = clock, reading

    def content(self, index: int) -> bytes:
        self.clock.spend(self.reading)
        return self.contents[index]


@pytest.fixture
def bench_of(make_card: Callable[..., ContenderCard]) -> Callable[[Rig, ImageSet | None], SimpleNamespace]:
    """A bench of a rig's contenders, with these images to test on."""

    def make(rig: Rig, images: ImageSet | None) -> SimpleNamespace:
        cards = [make_card(c.name, preprocessing=Preprocessing(crop=c.side, resize=None)) for c in rig.contenders]
        splits = {} if images is None else {"test": images}
        return SimpleNamespace(data=SimpleNamespace(splits=splits), contenders=cards)

    return make


@pytest.fixture
def costly(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part takes its own time."""

    def slowed(name: str, seconds: float) -> None:
        usual = getattr(module, name)

        def slow(*settings: object, **more: object) -> object:
            clock.spend(seconds)
            return usual(*settings, **more)

        monkeypatch.setattr(module, name, slow)

    for name, seconds in (("decode", 0.004), ("to_uint8", 0.002), ("normalise", 0.008)):
        slowed(name, seconds)


@pytest.mark.usefixtures("costly")
def test_every_part_is_timed_by_itself_on_every_image_and_repetition(
    bench_of: MakeBench, rig: MakeRig, net: MakeNet, clock: Clock
) -> None:
    timed = rig(net(0.01), net(0.02, side=64), batch=(4,))
    found = way(bench_of(timed, Pictures(clock, 6)), timed)
    assert found is not None
    assert (found.images, found.batch) == (6, 4)
    for part, seconds in ((READ, 0.001), (DECODE, 0.004)):
        assert found.shared[part] == (pytest.approx((seconds,) * 6),) * ALL
    for name, answer in (("A", 0.01), ("B", 0.02)):
        own = found.contenders[name]
        assert own.keys() == {RESIZE, NORMALISE, NETWORK}  # nothing is moved on a CPU
        assert own[RESIZE] == (pytest.approx((0.002,) * 6),) * ALL
        assert own[NORMALISE] == (pytest.approx((0.008,)),) * ALL
        assert own[NETWORK] == (pytest.approx((4 * answer,)),) * ALL
    assert timed.notes == []


def test_the_network_is_shown_the_pictures_as_it_sees_them_and_fewer_fill_a_batch_again(
    bench_of: MakeBench, rig: MakeRig, net: MakeNet, clock: Clock
) -> None:
    pictures, seen = Pictures(clock, 3), []
    timed = rig(net(0.01), batch=(5,))
    timed.contenders[0].model.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0].clone()))
    found = way(bench_of(timed, pictures), timed)
    assert found is not None
    assert found.images == 3
    (shown, *_) = seen
    assert shown.shape == (5, 3, 32, 32)
    assert torch.equal(shown[:2], shown[3:])
    assert not torch.equal(shown[0], shown[1])


def test_no_more_images_are_taken_than_tell_something_nor_than_there_is_time_for(
    bench_of: MakeBench, rig: MakeRig, net: MakeNet, clock: Clock
) -> None:
    timed = rig(net(0.01), batch=(1,))
    many = way(bench_of(timed, Pictures(clock, WAY_IMAGES + 8)), timed)
    slow = way(bench_of(timed, Pictures(clock, WAY_IMAGES, reading=1.0)), timed)
    assert many is not None
    assert slow is not None
    assert many.images == WAY_IMAGES
    assert 1 <= slow.images <= 5


def test_images_that_are_drawn_have_no_way_and_no_images_none_either(
    bench_of: MakeBench, rig: MakeRig, net: MakeNet
) -> None:
    timed = rig(net(0.01))
    drawn = open_data("digits").splits["test"]
    assert way(bench_of(timed, drawn), timed) is None
    assert way(bench_of(timed, None), timed) is None
    assert timed.notes == []


def test_an_image_that_turns_out_to_be_unreadable_is_left_out(
    bench_of: MakeBench, rig: MakeRig, net: MakeNet, clock: Clock
) -> None:
    pictures = Pictures(clock, 4)
    pictures.checked = False
    pictures.broken[2] = UnreadableError("test/002: cut off")
    timed = rig(net(0.01), batch=(2,))
    found = way(bench_of(timed, pictures), timed)
    assert found is not None
    assert found.images == 3


def changed(_index: int) -> bytes:
    raise DataError("a.jpg changed since the data were opened")


def full(_index: int) -> bytes:
    raise MemoryError


@pytest.mark.parametrize(
    ("content", "said"), [(changed, "a.jpg changed since the data were opened"), (full, "memory ran out")]
)
def test_what_goes_wrong_on_the_way_is_a_remark_and_costs_no_timings(
    bench_of: MakeBench, content: Callable[[int], bytes], said: str, rig: MakeRig, net: MakeNet, clock: Clock
) -> None:
    pictures = Pictures(clock, 4)
    pictures.content = content
    timed = rig(net(0.01))
    assert way(bench_of(timed, pictures), timed) is None
    assert timed.notes == [f"Where the time of an image goes was not measured: {said}."]


def test_on_the_real_clock_every_part_of_a_folder_takes_time(bench_of: MakeBench, tmp_path, net: MakeNet) -> None:
    for name in ("a", "b"):
        for seed in range(4):
            path = tmp_path / name / f"{seed}.png"
            path.parent.mkdir(exist_ok=True)
            smooth(seed, (40, 36)).save(path)
    images = open_data(f"{tmp_path}?val=1").splits["test"]
    contenders = [Contender("A", torch.nn.Conv2d(3, 4, 3), 32)]
    timed = Rig.ready(contenders, SpeedOptions(batch=(4,)), Stopwatch(CPU), "p0")
    found = way(bench_of(timed, images), timed)
    assert found is not None
    assert found.images == 8
    every = {**found.shared, **found.contenders["A"]}
    assert every.keys() == {READ, DECODE, RESIZE, NORMALISE, NETWORK}
    assert MOVE not in every
    assert all(seconds > 0 for rows in every.values() for row in rows for seconds in row)
    assert isinstance(images.image(0), Image.Image)
