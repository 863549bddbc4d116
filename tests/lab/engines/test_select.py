"""The choice: the fastest that agrees, with everything said about the others."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from netversus.errors import CellError, EngineError
from netversus.lab.engines import automatic_engines, get_engine, select
from netversus.lab.engines.engine import Engine
from netversus.lab.engines.prepared import Ready
from netversus.lab.engines.select import Candidate, Choice, Tolerance, _decide, choose, confirm, judge, parted
from netversus.lab.engines.source import Source

from .conftest import CPU, make_resnet

MILLISECONDS = {"eager": 4.0, "slow": 12.0}  # an image, as the tests have it; of every other engine 1


class Wasteful(nn.Module):
    """The network, inside a module that wastes time: an engine can win by leaving it out."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Conv2d(3, 8, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits


def engine(name: str, change: Callable[[nn.Module, Tensor], Tensor]) -> Engine:
    return Engine(name, name, "fp32", lambda source: Ready(lambda images: change(source.original, images)))  # type: ignore[arg-type]


FAST = engine("fast", lambda model, images: model.network(images))
SLOW = engine("slow", lambda model, images: model(images))
LIAR = engine("liar", lambda model, images: -model.network(images))
BLURRED = engine("blurred", lambda model, images: model.network(images) / 20)
BROKEN = engine("broken", lambda _model, _images: torch.zeros(3, 3) @ torch.zeros(2, 2))
OTHER_HEAD = engine("other-head", lambda model, images: model.network(images)[:, :7])
ABSENT = replace(FAST, name="absent", packages=("no_such_package",))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """A network whose engines take what `MILLISECONDS` says: no clock of a busy machine decides a test."""
    monkeypatch.setattr(select, "_timed", lambda prepared, _images: MILLISECONDS.get(prepared.engine, 1.0) / 1e3)
    with torch.random.fork_rng():
        torch.manual_seed(2)
        made = Wasteful().eval()
    nn.init.normal_(made.network[3].weight, std=0.3)
    return made


def of(choice: Choice, name: str) -> Candidate:
    return next(candidate for candidate in choice.candidates if candidate.engine == name)


def test_the_fastest_that_agrees_is_chosen(model: nn.Module, images: Tensor):
    choice = choose([FAST, SLOW], model, images, device=CPU)
    assert choice.engine == "fast"
    assert [(c.engine, c.seconds) for c in choice.candidates] == [("fast", 0.001), ("eager", 0.004), ("slow", 0.012)]
    assert of(choice, "fast").why == "chosen: the fastest that agrees with fp32"
    assert of(choice, "slow").why == "slower than fast; its agreement was not looked at"
    assert of(choice, "slow").flips is None
    assert torch.allclose(choice.prepared(images[:3]), model.network(images[:3]), atol=1e-5)
    assert choice.seconds > sum(c.compile_seconds for c in choice.candidates if c.compile_seconds)


def test_an_engine_that_lies_is_rejected_however_fast(model: nn.Module, images: Tensor):
    choice = choose([LIAR, SLOW], model, images, device=CPU)
    liar = of(choice, "liar")
    assert choice.engine == "eager"
    assert choice.candidates[0] is liar
    assert not liar.accepted
    assert liar.judged == liar.flips == 30
    assert liar.why == "the first class of 30 of 30 images changed, tolerated are 0.5 %"


def test_an_engine_that_blurs_every_answer_is_rejected_without_a_flip(model: nn.Module, images: Tensor):
    choice = choose([BLURRED], model, images, device=CPU)
    blurred = of(choice, "blurred")
    assert choice.engine == "eager"
    assert blurred.flips == 0
    assert blurred.shift is not None
    assert 0.01 < blurred.shift <= blurred.largest
    assert "probabilities moved by" in blurred.why
    assert choose([BLURRED], model, images, device=CPU, tolerance=Tolerance(shift=1.0)).engine == "blurred"


def test_flips_are_counted_one_by_one(model: nn.Module, images: Tensor):
    """Three images whose first class is made another: tolerated at 10 %, not at 9 %."""
    seen = {tuple(row.tolist()): i for i, row in enumerate(images[:, 0, 0, :4])}

    def three_wrong(model: nn.Module, some: Tensor) -> Tensor:
        logits = model.network(some).clone()
        for row, key in zip(logits, some[:, 0, 0, :4].tolist(), strict=True):
            if seen.get(tuple(key)) in (15, 20, 39):
                row[row.argmax()] -= 1e-3 + float(row.topk(2).values.diff().abs())
        return logits

    tolerance = Tolerance(flips=0.1, shift=1.0)
    choice = choose([engine("three", three_wrong)], model, images, device=CPU, tolerance=tolerance)
    assert of(choice, "three").flips == 3
    assert choice.engine == "three"
    strict = replace(tolerance, flips=0.09)
    assert choose([engine("three", three_wrong)], model, images, device=CPU, tolerance=strict).engine == "eager"


def test_of_two_that_are_as_fast_the_closer_to_fp32_is_chosen():
    """Which of two is measured as a little faster is chance: the third decimal of a probability decides."""
    seen = [
        Candidate("near", 0.100, flips=0, shift=0.002, accepted=True),
        Candidate("nearer", 0.104, flips=0, shift=0.001, accepted=True),
        Candidate("eager", 0.106, flips=0, shift=0.0, accepted=True),
    ]
    chosen, told = _decide(seen)
    assert chosen == "nearer"
    assert [candidate.why for candidate in told] == [
        "agrees with fp32; as fast as nearer, further from fp32",
        "chosen: the fastest that agrees with fp32",
        "agrees with fp32; slower",
    ]


def test_what_cannot_be_used_is_one_line_each_and_the_choice_goes_on(model: nn.Module, images: Tensor):
    choice = choose([BROKEN, ABSENT, get_engine("tensorrt"), OTHER_HEAD, FAST], model, images, device=CPU)
    assert choice.engine == "fast"
    unused = choice.candidates[-3:]
    assert [each.engine for each in unused] == ["broken", "absent", "tensorrt"]
    assert all(each.seconds is None and not each.accepted for each in unused)
    broken, absent, tensorrt = (each.why for each in unused)
    assert broken.startswith("broken cannot take this network: RuntimeError: ")
    assert absent.startswith("absent cannot run here: it needs the package 'no_such_package'")
    assert tensorrt.startswith("tensorrt cannot run here: it runs on cuda only")
    assert all(len(each.why.splitlines()) == 1 for each in unused)


class Failing(nn.Module):
    """The network by an engine that fails at its call number `at`; the example is the first, a batch the second."""

    def __init__(self, network: nn.Module, at: int, error: BaseException) -> None:
        super().__init__()
        self.network, self.at, self.error, self.calls = network, at, error, 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        if self.calls == self.at:
            raise self.error
        logits: Tensor = self.network(images)
        return logits


def failing(at: int, error: BaseException) -> Engine:
    return Engine("failing", "", "fp32", lambda source: Ready(Failing(source.original.network, at, error)))  # type: ignore[union-attr]


MILLISECONDS["failing"] = 0.5
OUT_OF_MEMORY = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")


@pytest.mark.parametrize(
    "at", [1, 2, 4], ids=["when it is prepared", "at the first batch", "when answers are compared"]
)
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RuntimeError("a kernel is missing\nin libkernels"),
            "cannot take this network: RuntimeError: a kernel is missing",
        ),
        (MemoryError(), "failing ran out of memory"),
        (OUT_OF_MEMORY, "failing ran out of memory"),
    ],
    ids=["an error", "memory", "memory of the device"],
)
def test_an_engine_that_fails_at_any_step_is_one_line_and_the_choice_goes_on(
    at: int, error: BaseException, said: str, model: nn.Module, images: Tensor
):
    choice = choose([failing(at, error), FAST], model, images, device=CPU)
    assert choice.engine == "fast"
    assert choice.candidates[-1].engine == "failing"
    why = of(choice, "failing").why
    assert why.endswith(said)
    assert len(why.splitlines()) == 1
    assert not of(choice, "failing").accepted
    assert choice.prepared(images[:3]).shape == (3, 10)


def test_an_engine_that_fails_while_it_is_timed_is_one_line_too(
    model: nn.Module, images: Tensor, monkeypatch: pytest.MonkeyPatch
):
    def timed(prepared: nn.Module, _images: Tensor) -> float:
        if prepared.engine == "slow":
            raise OUT_OF_MEMORY
        return 1e-3

    monkeypatch.setattr(select, "_timed", timed)
    choice = choose([SLOW, FAST], model, images, device=CPU)
    assert of(choice, "slow") == Candidate("slow", why="slow ran out of memory")
    assert choice.engine in ("fast", "eager")


def test_an_error_of_fp32_itself_is_not_an_engines(model: nn.Module, images: Tensor):
    model.forward = Failing(model.network, 3, RuntimeError("the moon is full")).forward  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="the moon is full"):
        choose([FAST], model, images, device=CPU)


def test_what_is_not_needed_any_more_is_let_go_of(model: nn.Module, images: Tensor):
    networks: dict[str, weakref.ref[nn.Module]] = {}
    alive: list[set[str]] = []

    class Watched(nn.Module):
        """The network; at each call it notes which engines' networks are in memory."""

        def __init__(self, network: nn.Module, name: str) -> None:
            super().__init__()
            self.network, self.name = network, name
            networks[name] = weakref.ref(self)

        def forward(self, some: Tensor) -> Tensor:
            alive.append({name for name, network in networks.items() if network() is not None})
            logits: Tensor = self.network(some)
            return -logits if self.name == "liar" else logits

    def watched(name: str) -> Engine:
        return Engine(name, "", "fp32", lambda source: Ready(Watched(source.module().network, name)))  # type: ignore[arg-type]

    MILLISECONDS["liar"] = 0.5
    choice = choose([watched("liar"), watched("fast"), watched("slow")], model, images, device=CPU)
    assert choice.engine == "fast"
    assert {"liar", "fast", "slow"} in alive  # timed in turns
    assert alive[-1] == {"fast", "slow"}  # the liar was found out by then
    assert {name for name, network in networks.items() if network() is not None} == {"fast"}


def test_engines_are_timed_and_compared_with_as_many_images_at_once_as_will_be_shown(model: nn.Module, images: Tensor):
    shown: list[int] = []

    def noting(model: nn.Module, some: Tensor) -> Tensor:
        shown.append(len(some))
        logits: Tensor = model.network(some)
        return logits

    choice = choose([engine("noting", noting)], model, images, device=CPU, batch=64)
    assert (choice.batch, set(shown[1:])) == (64, {64})
    assert of(choice, "noting").judged == 30


TIMES = {"liar": 0.5e-3, "fast": 1e-3, "slow": 12e-3, "eager": 4e-3}


@pytest.fixture
def untimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be timed; the engines of these tests are found by their names."""
    known = {each.name: each for each in (LIAR, FAST, SLOW, BROKEN, get_engine("eager"))}
    monkeypatch.setattr(select, "_timed", lambda *_: pytest.fail("timed again"))
    monkeypatch.setattr(select, "get_engine", known.__getitem__)
    monkeypatch.setattr(select, "find_engines", lambda: known)


@pytest.mark.usefixtures("untimed")
def test_an_engine_that_was_chosen_is_taken_again_with_other_weights_if_it_agrees(model: nn.Module, images: Tensor):
    choice = confirm("slow", TIMES, model, images, device=CPU)
    assert choice.engine == choice.prepared.engine == "slow"
    assert [(each.engine, each.seconds) for each in choice.candidates] == [("slow", 12e-3), ("eager", 4e-3)]
    assert of(choice, "slow").why == "chosen on other weights; agrees with fp32 on these too"
    assert (of(choice, "slow").flips, of(choice, "slow").judged) == (0, 30)


@pytest.mark.usefixtures("untimed")
@pytest.mark.parametrize("chosen", ["liar", "broken", "gone"])
def test_where_it_does_not_agree_the_next_fastest_that_does_is_taken(chosen: str, model: nn.Module, images: Tensor):
    choice = confirm(chosen, TIMES, model, images, device=CPU)
    assert choice.engine == choice.prepared.engine == "fast"
    assert of(choice, "fast").why == f"agrees with fp32, which {chosen}, chosen on other weights, does not"
    assert of(choice, "liar").why == "the first class of 30 of 30 images changed, tolerated are 0.5 %"
    assert any(each.engine == chosen for each in choice.candidates) == (chosen != "gone")


@pytest.mark.usefixtures("untimed")
def test_where_none_agrees_it_is_fp32(model: nn.Module, images: Tensor):
    choice = confirm("liar", {"liar": 1e-3, "eager": 4e-3}, model, images, device=CPU)
    assert choice.engine == "eager"
    assert [each.engine for each in choice.candidates] == ["liar", "eager"]


@pytest.mark.parametrize(("count", "held"), [(1, 1), (3, 1), (4, 1), (40, 10), (60, 15), (128, 32), (400, 64)])
def test_a_quarter_of_the_images_is_for_calibration_64_at_most_and_one_at_least(count: int, held: int):
    images = torch.arange(count)
    calibration, judged = parted(images)
    assert torch.equal(torch.cat([calibration, judged]), images)
    assert len(calibration) == held


def test_other_outputs_are_told_by_their_shape(model: nn.Module, images: Tensor):
    choice = choose([OTHER_HEAD], model, images, device=CPU)
    assert of(choice, "other-head").why == "its outputs have the shape (30, 7), not (30, 10)"


def test_nan_is_reported_with_the_layer_that_made_it(images: Tensor):
    def poisoned(source: Source) -> Ready:
        broken = source.module()
        broken.layer2[0].bn1.weight.data[3] = float("nan")
        return Ready(broken)

    choice = choose([Engine("poisoned", "", "fp32", poisoned)], make_resnet(), images, device=CPU, every=True)
    assert of(choice, "poisoned").why == "NaN or infinite outputs, first from layer2.0.bn1"
    assert choice.engine == "eager"


def test_nan_of_an_engine_without_layers_is_told_so(model: nn.Module, images: Tensor):
    lost = engine("lost", lambda model, images: model.network(images) * float("inf"))
    assert (
        of(choose([lost], model, images, device=CPU), "lost").why
        == "NaN or infinite outputs, first from inside the engine"
    )


def test_a_network_that_gives_nan_in_fp32_is_one_line_naming_the_layer(images: Tensor):
    model = make_resnet()
    model.layer3[1].conv2.weight.data[0] = float("inf")
    with pytest.raises(CellError, match=r"NaN or infinite outputs in fp32, first from layer3\.1\.conv2"):
        choose([], model, images, device=CPU)


def test_an_engine_that_was_asked_for_is_taken_and_what_it_changes_is_counted(model: nn.Module, images: Tensor):
    with torch.inference_mode():
        flipped = int((model.network(images[10:]).argmax(1) != (-model.network(images[10:])).argmax(1)).sum())
    choice = judge(LIAR, model, images, device=CPU)
    assert choice.engine == choice.prepared.engine == "liar"
    assert {c.engine for c in choice.candidates} == {"eager", "liar"}
    assert (of(choice, "liar").flips, of(choice, "liar").judged) == (flipped, 30)
    assert of(choice, "liar").why.startswith(f"as asked, although the first class of {flipped} of 30 images changed")
    assert of(judge(FAST, model, images, device=CPU), "fast").why == "as asked; agrees with fp32"


def test_an_engine_that_was_asked_for_and_cannot_run_is_one_line(model: nn.Module, images: Tensor):
    with pytest.raises(EngineError, match="broken cannot take this network"):
        judge(BROKEN, model, images, device=CPU)


def test_images_that_engines_were_calibrated_on_are_not_judged_on(model: nn.Module, images: Tensor):
    shown: list[Tensor] = []

    def calibrated(source: Source) -> Ready:
        assert source.calibration is not None
        shown.append(source.calibration)
        return Ready(source.original)

    choice = choose([Engine("c", "", "int8", calibrated, calibrated=True)], model, images, device=CPU, every=True)
    assert torch.equal(shown[0], images[:10])
    assert of(choice, "c").judged == 30


@pytest.mark.parametrize("shape", [(3, 3, 32, 32), (3, 32, 32)])
def test_too_few_images_are_one_line(shape: tuple[int, ...], model: nn.Module):
    with pytest.raises(EngineError, match="takes 4 images, got the shape"):
        choose([FAST], model, torch.zeros(shape), device=CPU)


def test_auto_on_a_real_network_judges_every_engine_that_is_here(images: Tensor):
    wanted = automatic_engines("cpu")
    choice = choose(wanted, make_resnet(), images, device=CPU, tolerance=Tolerance(flips=0.2, shift=0.1), every=True)
    here = {engine.name for engine in wanted if not engine.missing("cpu")}
    assert {c.engine for c in choice.candidates} == {engine.name for engine in wanted}
    assert {c.engine for c in choice.candidates if c.flips is not None} == here
    assert choice.prepared.engine == choice.engine
    assert of(choice, choice.engine).accepted
    exact = {name for name in here if get_engine(name).precision == "fp32"}
    assert all(of(choice, name).flips == 0 and of(choice, name).shift <= 1e-5 for name in exact)
