from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
import torch

import tiny_nets
from netversus.errors import EngineError
from netversus.lab.engines import get_engine
from netversus.lab.timing.stopwatch import Stopwatch
from netversus.records import Observations
from netversus.studies.speed import SpeedOptions
from netversus.studies.speed.extras import SPELLS, energy, memory, stages
from netversus.studies.speed.rig import MOST_CALLS, Contender, Rig

if TYPE_CHECKING:
    from conftest import Clock, Net

CPU = torch.device("cpu")
MakeRig = Callable[..., Rig]
MakeNet = Callable[..., "Net"]


def by_metric(seen: list[Observations], contender: str) -> dict[str, Observations]:
    return {o.metric: o for o in seen if o.contender == contender}


def ready(rig: Rig) -> Rig:
    rig.warm_up()
    return rig


def test_a_block_tells_the_median_call_the_single_calls_and_the_rate(rig: MakeRig, net: MakeNet) -> None:
    seen = ready(rig(net(0.01), net(0.02), batch=(8,), repetitions=2)).block(3)
    a, b = by_metric(seen, "A"), by_metric(seen, "B")
    assert a["latency"] == Observations("A", "latency", ("p0/block-003",), (0.01,))
    assert b["latency"].values == (0.02,)
    assert a["throughput"].values == (pytest.approx(100.0),)
    assert b["throughput"].values == (pytest.approx(50.0),)
    assert a["batch_used"].values == (8.0,)
    assert a["latency_raw"].units == tuple(f"p0/block-003/rep-{i:02d}" for i in (1, 2, 3, 4))
    assert a["warmup"].units == ("p0/block-003/turn-1", "p0/block-003/turn-2")


def test_a_machine_that_slows_down_steadily_changes_no_ratio(rig: MakeRig, net: MakeNet, clock: Clock) -> None:
    timed = ready(rig(net(0.01), net(0.01), batch=(1,), repetitions=1))
    start = clock.now() / 1e9
    clock.pace = lambda seconds: 1 + (seconds - start)
    for number in range(4):
        seen = timed.block(number)
        a, b = (by_metric(seen, name)["latency"].values[0] for name in "AB")
        assert a / b == pytest.approx(1, abs=2e-3)
    one_after_the_other = (1 + 0.02) / 1  # what A A B B would have made of the first block
    assert abs(one_after_the_other - 1) > 5e-3


def test_one_stalled_call_does_not_move_a_block(rig: MakeRig, net: MakeNet, clock: Clock) -> None:
    timed = ready(rig(net(0.01), net(0.01), repetitions=3))
    stalled = iter([1, 50])  # the second call of all, the first that is timed
    clock.pace = lambda _seconds: next(stalled, 1)
    a = by_metric(timed.block(0), "A")
    assert a["latency"].values == (0.01,)
    assert max(a["latency_raw"].values) == pytest.approx(0.5)


def test_the_first_call_of_a_turn_is_kept_apart(rig: MakeRig, net: MakeNet, clock: Clock) -> None:
    timed = ready(rig(net(0.01), net(0.01), repetitions=1))
    cold = iter([7])
    clock.pace = lambda _seconds: next(cold, 1)
    a = by_metric(timed.block(0), "A")
    assert a["warmup"].values[0] == pytest.approx(0.07)
    assert max(a["latency_raw"].values) == 0.01


def test_warming_up_is_recorded(rig: MakeRig, net: MakeNet) -> None:
    (a, b) = rig(net(0.01), net(0.02), warmup=2, batch=(4,)).warm_up()
    assert a.metric == b.metric == "warmup"
    assert a.units == ("p0/call-01", "p0/call-02", "p0/batch-1", "p0/batch-2")
    assert b.values == (0.02, 0.02, 0.08, 0.08)


def test_short_batches_are_called_as_often_for_one_contender_as_for_the_other(rig: MakeRig, net: MakeNet) -> None:
    quick, slow = net(1e-6), net(1e-3)
    timed = ready(rig(quick, slow, batch=(4,), repetitions=1))
    quick.shown.clear()
    slow.shown.clear()
    timed.block(0)
    assert quick.shown == slow.shown
    assert quick.shown.count((4, 32)) == 2 * 5  # 4 ms a call of the slower: five fill 20 ms, in each of two turns
    rig_of_quick = ready(rig(net(1e-9), net(1e-9), batch=(4,)))
    assert set(rig_of_quick.calls.values()) == {MOST_CALLS}


def test_each_contender_is_shown_its_own_side_and_the_same_noise(rig: MakeRig, net: MakeNet) -> None:
    small, large = net(0.01, side=32), net(0.01, side=64)
    timed = ready(rig(small, large, batch=(2,)))
    assert {side for _, side in small.shown} == {32}
    assert {side for _, side in large.shown} == {64}
    first = timed.contenders[0]
    images = timed.images(first, next(iter(timed.calls)))
    assert images.dtype is torch.float32
    assert images.std() == pytest.approx(1, abs=0.05)
    assert torch.equal(images, ready(rig(net(0.01), net(0.01), batch=(2,))).images(first, next(iter(timed.calls))))


def test_the_grid_is_measured_beside_the_judged_batch(rig: MakeRig, net: MakeNet) -> None:
    seen = ready(rig(net(0.01), net(0.01), batch=(1, 4), resolution=(64,))).block(0)
    points = {o.units[0]: o.values[0] for o in seen if o.metric == "throughput_grid" and o.contender == "A"}
    assert points == {
        "b1/own/p0/block-000": pytest.approx(100),
        "b1/r64/p0/block-000": pytest.approx(25),
        "b4/r64/p0/block-000": pytest.approx(25),
    }


def test_a_resolution_that_one_contender_refuses_is_left_out_for_all(rig: MakeRig, net: MakeNet) -> None:
    timed = ready(rig(net(0.01), net(0.01), batch=(2,), resolution=(63, 64)))
    assert [str(point) for point in timed.grid] == ["b2/r64"]
    assert timed.notes == ["Batch 2 at 63 px was left out for all: A does not take it (AssertionError)."]


def test_out_of_memory_halves_the_batch_for_all_and_says_so(rig: MakeRig, net: MakeNet) -> None:
    timed = ready(rig(net(0.01), net(0.02, room=10 * 32**2), batch=(32,)))
    seen = timed.block(0)
    for name in "AB":
        assert by_metric(seen, name)["batch_used"].values == (8.0,)
    assert by_metric(seen, "A")["throughput"].values == (pytest.approx(100),)
    assert [note.split(" does")[0] for note in timed.notes] == ["Batch 32", "Batch 16"]


def test_memory_that_runs_out_later_measures_the_whole_block_again(rig: MakeRig, net: MakeNet) -> None:
    shrinking = net(0.02)
    timed = ready(rig(net(0.01), shrinking, batch=(4, 8)))
    shrinking.room = 6 * 32**2
    seen = timed.block(0)
    assert timed.grid == []  # it went first
    for name in "AB":
        assert by_metric(seen, name)["batch_used"].values == (4.0,)
        assert len(by_metric(seen, name)["latency_raw"].values) == 6


def test_a_grid_point_without_memory_leaves_the_judged_batch_alone(rig: MakeRig, net: MakeNet) -> None:
    timed = ready(rig(net(0.01), net(0.01, room=8 * 32**2), batch=(8,), resolution=(64,)))
    assert timed.batch == 8
    assert timed.grid == []
    assert timed.notes == ["Batch 8 at 64 px was left out for all: B does not fit in memory."]


def test_one_image_without_memory_is_an_error_and_so_is_any_other_failure(rig: MakeRig, net: MakeNet) -> None:
    with pytest.raises(torch.OutOfMemoryError):
        rig(net(0.01), net(0.01, room=1), batch=(8,)).warm_up()
    with pytest.raises(AssertionError, match="multiple of 8"):
        rig(net(0.01), net(0.01, side=31), batch=(8,)).warm_up()


def test_outputs_that_are_no_numbers_are_reported_and_timed_all_the_same(rig: MakeRig, net: MakeNet) -> None:
    timed = ready(rig(net(0.01), net(0.01, answer=float("nan"))))
    assert timed.notes == ["B gives NaN or infinite outputs, first from Net: it was timed all the same."]
    assert by_metric(timed.block(0), "B")["latency"].values == (0.01,)


def test_energy_is_divided_by_the_images_and_absent_without_a_meter(rig: MakeRig, net: MakeNet, clock: Clock) -> None:
    from netversus.lab.timing.energy import Meter

    timed = ready(rig(net(0.01), net(0.02), batch=(4,)))
    watts = 50
    seen, names = energy(timed, (Meter("RAPL", lambda: watts * clock.now() / 1e9),))
    assert names == ("RAPL",)
    assert {o.contender: o.values for o in seen} == {
        "A": (pytest.approx(0.5),) * SPELLS,
        "B": (pytest.approx(1.0),) * SPELLS,
    }
    assert energy(timed, ()) == ([], ())


def test_networks_without_parts_or_memory_of_torch_tell_neither(rig: MakeRig, net: MakeNet) -> None:
    timed = ready(rig(net(0.01), net(0.01)))
    assert list(stages(timed)) == []
    assert list(memory(timed)) == []


def test_other_engines_are_timed_at_every_batch_and_side_beside_the_contenders_own(net: MakeNet, clock: Clock) -> None:
    made: list[tuple[int, str]] = []

    def at(side: int, engine: str) -> Net:
        made.append((side, engine))
        return net(0.001)

    contenders = [Contender("A", net(0.01), 32, at)]
    options = SpeedOptions(batch=(2, 8), resolution=(64,), engines=("folded",))
    timed = ready(Rig.ready(contenders, options, Stopwatch(CPU, clock.now), "p0"))
    rates = {
        u: v for o in timed.block(0) if o.metric == "throughput_grid" for u, v in zip(o.units, o.values, strict=True)
    }
    places = {unit.partition("/p0")[0]: rate for unit, rate in rates.items()}
    assert places.keys() == {
        *("b2/own", "b2/r64", "b8/r64"),
        *("b2/own@folded", "b8/own@folded", "b2/r64@folded", "b8/r64@folded"),
    }
    assert places["b2/own@folded"] == pytest.approx(1000)
    assert places["b2/own"] == pytest.approx(100)
    assert set(made) == {(32, "folded"), (64, "folded"), (64, "")}


def test_an_engine_that_cannot_run_is_left_out_in_one_line(net: MakeNet, clock: Clock) -> None:
    def refuse(_side: int, engine: str) -> Net:
        raise EngineError(f"{engine} cannot run here: no bf16")

    contenders = [Contender("A", net(0.01), 32, lambda *_: net(0.01)), Contender("B", net(0.02), 32, refuse)]
    options = SpeedOptions(batch=(2, 8), engines=("bf16",))
    timed = ready(Rig.ready(contenders, options, Stopwatch(CPU, clock.now), "p0"))
    assert timed.notes == ["The engine bf16 was left out for all; of B: bf16 cannot run here: no bf16."]
    assert [str(point) for point in timed.grid] == ["b2/own"]


@pytest.mark.parametrize(("engine", "layer"), [("autocast", "3"), ("onnxruntime", "inside the engine")])
def test_numbers_that_are_none_are_traced_as_far_as_the_engine_shows_its_layers(engine: str, layer: str) -> None:
    if reason := get_engine(engine).missing("cpu"):
        pytest.skip(reason)
    network = tiny_nets.narrow().eval()
    network[3].weight.data[0] = float("nan")
    contender = Contender("A", get_engine(engine).prepare(network, crop=32, device=CPU), 32)
    timed = Rig.ready([contender], SpeedOptions(batch=(2,)), Stopwatch(CPU), "p0")
    timed.warm_up()
    assert timed.notes == [f"A gives NaN or infinite outputs, first from {layer}: it was timed all the same."]
