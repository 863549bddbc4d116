from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from netversus.errors import CellError
from netversus.studies.scaling.grid import Point, Setup
from netversus.studies.scaling.observed import growths, observe
from netversus.studies.scaling.rig import Rig
from netversus.studies.scaling.spread import replicas, run_on_all

if TYPE_CHECKING:
    from conftest import Clock, Net

MakeRig = Callable[..., Rig]
MakeNet = Callable[..., "Net"]
SMALL = {"resolution": (1, 2), "batch": (1, 4), "at_once": 2}


def ready(rig: Rig) -> Rig:
    rig.try_out()
    return rig


def seen(rig: Rig, number: int = 0) -> dict[tuple[str, str], dict[str, float]]:
    """The observations of one block and what follows from them, by contender and metric."""
    seconds = rig.block(number)
    timed = [o for s in rig.subjects for o in observe(s.name, s.points, seconds[s.name], rig.left_out, number)]
    return {(o.contender, o.metric): dict(zip(o.units, o.values, strict=True)) for o in [*timed, *growths(timed)]}


def test_a_block_tells_the_seconds_of_an_image_along_each_axis(rig: MakeRig, net: MakeNet) -> None:
    found = seen(ready(rig(net(0.01, fixed=0.1), net(0.02), **SMALL)), 3)
    assert found["A", "seconds_resolution"] == pytest.approx(
        {"resolution-0032/block-003": 0.06, "resolution-0064/block-003": 0.09}
    )
    assert found["A", "seconds_batch"] == pytest.approx({"batch-0001/block-003": 0.11, "batch-0004/block-003": 0.035})
    assert found["B", "seconds_batch"] == pytest.approx({"batch-0001/block-003": 0.02, "batch-0004/block-003": 0.02})


def test_growth_and_exponents_are_those_of_the_network(rig: MakeRig, net: MakeNet) -> None:
    found = seen(ready(rig(net(0.01), net(0.01, power=2.0), resolution=(1, 2, 3), batch=(1, 2, 4))))
    assert found["A", "resolution_growth"] == {"block-000": pytest.approx(9)}
    assert found["B", "resolution_growth"] == {"block-000": pytest.approx(81)}
    assert found["A", "resolution_exponent"] == {"block-000": pytest.approx(1)}
    assert found["B", "resolution_exponent"] == {"block-000": pytest.approx(2)}
    assert found["A", "batch_exponent"] == {"block-000": pytest.approx(0, abs=1e-9)}


def test_a_machine_that_slows_down_steadily_changes_no_exponent_and_no_ratio(
    rig: MakeRig, net: MakeNet, clock: Clock
) -> None:
    timed = ready(rig(net(0.01), net(0.01), repetitions=1, **SMALL))
    start = clock.now() / 1e9
    clock.pace = lambda seconds: 1 + (seconds - start) / 4
    found = seen(timed)
    assert clock.pace(clock.now() / 1e9) > 1.1
    for name in "AB":
        assert found[name, "resolution_exponent"]["block-000"] == pytest.approx(1, abs=0.01)
    a, b = (found[name, "seconds_batch"]["batch-0004/block-000"] for name in "AB")
    assert a / b == pytest.approx(1, abs=0.01)


def test_a_setup_that_lies_on_two_axes_is_timed_once(rig: MakeRig, net: MakeNet) -> None:
    only = net(0.1)
    timed = ready(rig(only, resolution=(1,), batch=(1, 2), at_once=2))
    only.shown.clear()
    timed.block(0)
    assert only.shown.count((2, 32)) == 1 + 2  # one is dropped, and two turns


def test_short_calls_are_repeated_as_often_for_one_contender_as_for_the_other(rig: MakeRig, net: MakeNet) -> None:
    quick, slow = net(1e-6), net(0.02)
    timed = ready(rig(quick, slow, resolution=(1,), batch=(1,), at_once=1, repetitions=50))
    assert timed.calls == {Setup(1, 32): 3}  # 20 ms a call of the slower: three fill 50 ms
    quick.shown.clear()
    slow.shown.clear()
    timed.block(0)
    timed.block(1)
    # Two turns in each of two blocks; a call is dropped at the first turn, and whenever the other was before.
    assert quick.shown == slow.shown == [(1, 32)] * (4 * 3 + 3)
    assert ready(rig(net(1e-9), batch=(1,), repetitions=7)).calls[Setup(1, 32)] == 7


def test_what_one_contender_refuses_is_left_out_for_all_and_said(rig: MakeRig, net: MakeNet) -> None:
    timed = ready(rig(net(0.01, refused=(64,)), net(0.01), **SMALL))
    assert timed.left_out == {Point("resolution", 2)}
    assert timed.notes == ["2 times the resolution was left out for all: A does not take it (AssertionError)."]
    found = seen(timed)
    assert list(found["B", "seconds_resolution"]) == ["resolution-0032/block-000"]
    assert ("B", "resolution_growth") not in found  # absent: one side has no growth
    assert ("B", "resolution_exponent") not in found


def test_what_does_not_fit_in_memory_is_left_out_for_all_and_said(rig: MakeRig, net: MakeNet) -> None:
    timed = ready(rig(net(0.01), net(0.01, room=8 * 32**2), batch=(1, 8, 16), resolution=(1,)))
    assert timed.notes == ["Batch 16 was left out for all: B does not fit in memory."]
    assert list(seen(timed)["A", "seconds_batch"]) == ["batch-0001/block-000", "batch-0008/block-000"]


def test_memory_that_runs_out_inside_a_block_leaves_the_point_out_for_all_and_says_so(
    rig: MakeRig, net: MakeNet
) -> None:
    cramped = net(0.02)
    timed = ready(rig(net(0.01), cramped, **SMALL))
    before = seen(timed, 0)
    cramped.room = 2 * 32**2
    after = seen(timed, 1)
    assert timed.left_out == {Point("resolution", 2), Point("batch", 4)}
    assert sorted(timed.notes) == [
        "2 times the resolution was left out for all after 1 timing blocks: memory ran out with B.",
        "Batch 4 was left out for all after 1 timing blocks: memory ran out with B.",
    ]
    assert {place.partition("/")[0] for place in before["A", "seconds_batch"]} == {"batch-0001", "batch-0004"}
    for name, seconds in (("A", 0.01), ("B", 0.02)):
        assert after[name, "seconds_batch"] == {"batch-0001/block-001": pytest.approx(seconds)}
        assert after[name, "seconds_resolution"] == {"resolution-0032/block-001": pytest.approx(seconds)}


def test_a_block_in_which_memory_ran_out_is_measured_again_whole(rig: MakeRig, net: MakeNet, clock: Clock) -> None:
    """What it holds is of one moment: the turns before memory ran out count for nothing."""
    first, cramped = net(0.01), net(0.01)
    timed = ready(rig(first, cramped, **SMALL))
    cramped.room = 2 * 32**2
    clock.pace = lambda _seconds: 1.0 if Point("batch", 4) in timed.left_out else 100.0
    assert seen(timed)["A", "seconds_batch"] == {"batch-0001/block-000": pytest.approx(0.01)}


def test_where_memory_runs_out_at_every_point_the_last_of_them_is_named(rig: MakeRig, net: MakeNet) -> None:
    only = net(0.01)
    timed = ready(rig(only, **SMALL))
    only.room = 0
    with pytest.raises(CellError, match=r"nothing could be timed: .* memory ran out with A"):
        timed.block(0)


def test_another_error_inside_a_block_is_not_taken_for_a_lack_of_memory(rig: MakeRig, net: MakeNet) -> None:
    only = net(0.01)
    timed = ready(rig(only, **SMALL))
    only.refused = (64,)
    with pytest.raises(AssertionError, match="64 px does not fit"):
        timed.block(0)


def test_nothing_left_to_time_is_an_error_that_names_the_reason(rig: MakeRig, net: MakeNet) -> None:
    with pytest.raises(CellError, match="A does not fit in memory"):
        rig(net(0.01, room=1), **SMALL).try_out()


class Asking(nn.Module):
    """A network that notes how many threads it has."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[int] = []

    def forward(self, images: Tensor) -> Tensor:
        self.threads.append(torch.get_num_threads())
        return images.flatten(1)


def test_threads_are_as_the_axis_says_and_afterwards_as_they_were(rig: MakeRig) -> None:
    before, asking = torch.get_num_threads(), Asking()
    timed = ready(rig(asking, resolution=(1,), batch=(1,), at_once=1, threads=(1, 3), repetitions=1))
    asking.threads.clear()
    timed.block(0)
    # Forward and back; a call is dropped each time the number of threads changes.
    assert asking.threads == [before, before, 1, 1, 3, 3, 3, 1, 1, before, before]
    assert torch.get_num_threads() == before


def test_shares_of_several_devices_are_answered_at_the_same_time() -> None:
    meeting = Barrier(2, timeout=20)  # passes only when both are there

    def network(images: Tensor) -> Tensor:
        meeting.wait()
        return images + torch.is_inference_mode_enabled()

    with ThreadPoolExecutor(2) as pool:
        answers = run_on_all([network, network], [torch.zeros(1), torch.ones(1)], pool)
    assert [a.item() for a in answers] == [1, 2]


def test_a_replica_answers_as_the_network_does_and_shares_no_weight() -> None:
    first = nn.Linear(4, 2).eval()
    one, other = replicas(first, [torch.device("cpu")] * 2)
    assert one is first
    assert torch.equal(other.weight, first.weight)
    assert other.weight.data_ptr() != first.weight.data_ptr()


def test_several_devices_share_the_time_of_an_image(rig: MakeRig, net: MakeNet) -> None:
    timed = rig(net(0.01), **SMALL)
    timed.devices = [torch.device("cpu")] * 2
    timed.subjects = [
        type(timed.subjects[0])("A", timed.subjects[0].at, {Point("devices", 2): Setup(2, 32, devices=2)})
    ]
    timed.try_out()
    # The copy has a clock of its own, so both work at the same time: 20 ms for two images on each.
    assert timed.block(0)["A"][Setup(2, 32, devices=2)] == pytest.approx(0.02 / 4)
