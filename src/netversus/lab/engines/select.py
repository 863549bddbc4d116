"""The fastest engine whose outputs agree with fp32 on the user's own images."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor, nn

from netversus.errors import CellError, EngineError, NetversusError
from netversus.lab.contenders.hub import first_line
from netversus.lab.devices import out_of_memory
from netversus.lab.engines import REFERENCE, find_engines, get_engine
from netversus.lab.engines.engine import Engine
from netversus.lab.engines.nan_origin import nan_origin
from netversus.lab.engines.prepared import Prepared, prepare, synchronize
from netversus.lab.engines.source import Source
from netversus.lab.evaluation import filled_up, in_chunks
from netversus.messages import noted, template

AS_FAST = 1.05  # what is slower by less is as fast: noise, and no reason to move away from fp32
MOST_CALIBRATION = 64
FEWEST_IMAGES = 4
TURNS = 6
REPEATS = 2  # in a turn: the first follows another engine, whose threads may still be spinning
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far from fp32 an engine may be.

    `flips` bounds the share of images whose first class changes. It bounds what accuracy can change by: half a
    percentage point, half of the practical margin of the accuracy study. `shift` bounds the mean over the images of
    the largest change of a probability: flips do not see an engine that blurs every answer, and calibration would.
    """

    flips: float = 0.005
    shift: float = 0.01


@dataclass(frozen=True, slots=True)
class Candidate:
    """What was seen of one engine; None where it was not measured.

    `seconds` is the least time for an image at the batch size of the choice, `compile_seconds` what it cost to prepare.
    Of `judged` images `flips` changed their first class, and the largest change of a probability was `shift` on
    average and `largest` at most. `why` says in words why it was taken or not.
    """

    engine: str
    seconds: float | None = None
    compile_seconds: float | None = None
    judged: int = 0
    flips: int | None = None
    shift: float | None = None
    largest: float | None = None
    accepted: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine that was chosen, ready, and every candidate: the fastest first, those that could not be used last.

    `batch` is the batch size at which they were timed; `seconds` is the wall time of the whole choice, which is part
    of what the chosen engine cost.
    """

    engine: str
    prepared: Prepared
    candidates: tuple[Candidate, ...]
    tolerance: Tolerance
    batch: int
    seconds: float


def parted(images: Tensor) -> tuple[Tensor, Tensor]:
    """Images to calibrate on, and the others to judge on: a quarter of them, 64 at most and one at least. Whoever
    prepares a contender asks here, so that all prepare the same."""
    held = min(MOST_CALIBRATION, max(1, len(images) // 4))
    return images[:held], images[held:]


def choose(
    engines: Iterable[Engine],
    model: nn.Module,
    images: Tensor,
    *,
    device: torch.device,
    tolerance: Tolerance | None = None,
    batch: int = 8,
    turns: int = TURNS,
    every: bool = False,
) -> Choice:
    """Time every engine on the same images, in turns, and take the fastest that agrees with eager fp32.

    Agreement is looked at from the fastest on, until one is accepted and all that are as fast have been looked at; of
    those the closest to fp32 is taken. A quarter of the images, 64 at most, are for calibration in 8 bits and are not
    judged on, so that no engine is praised for what it was fitted to. An engine that fails at any step is a candidate
    with its reason, and the others go on; what is not needed any more is let go of.

    Args:
        engines: those to try; eager is always among them.
        model: the network; it is left as it was.
        images: the user's own, as they will be shown (normalised): float32, shape (n, 3, crop, crop), n >= 4. Where
            none of n images flips, at most 3/n of all images do, at 95 % (the rule of three).
        device: where the network will run.
        tolerance: how far from fp32 an engine may be.
        batch: images shown at once, when timing and after.
        turns: how often each is timed, `REPEATS` times running; the least counts.
        every: look at the agreement of all engines, the slow ones too.

    Raises:
        CellError: fp32 itself gives NaN or infinite outputs; the first layer that does is named.
        EngineError: there are too few images.
    """
    begin = time.perf_counter()
    bench = _Bench.of(model, images, device, batch, tolerance)
    reference = _reference(bench)
    for engine in {engine.name: engine for engine in engines}.values():
        bench.prepare(engine)
    bench.source.forget()
    seen = _look(bench, _times(bench, turns), reference, every=every)
    chosen, told = _decide(seen)
    bench.keep_only(chosen)
    seconds = time.perf_counter() - begin
    return Choice(chosen, bench.ready[chosen], (*told, *bench.unusable), bench.tolerance, batch, seconds)


def confirm(
    chosen: str,
    times: Mapping[str, float],
    model: nn.Module,
    images: Tensor,
    *,
    device: torch.device,
    tolerance: Tolerance | None = None,
    batch: int = 8,
) -> Choice:
    """The engine that was chosen for other weights of the same network, if it agrees with fp32 on these too; else the
    next fastest that does.

    Nothing is timed again: times do not depend on what the weights are, and a second measurement would choose another
    engine by chance.

    `chosen` is the engine's name; `times` are the seconds an image of each engine that was timed then, by name. The
    other arguments are those of `choose`, and so are the errors.
    """
    begin = time.perf_counter()
    bench = _Bench.of(model, images, device, batch, tolerance)
    reference = _reference(bench)
    seen: list[Candidate] = []
    for name in dict.fromkeys((chosen, *sorted(times, key=times.__getitem__), REFERENCE)):
        candidate = _seen_again(bench, name, times.get(name), reference) if name in find_engines() else None
        if candidate is not None and candidate.accepted:
            why = noted("chosen on other weights; agrees with fp32 on these too")
            other = noted("agrees with fp32, which {engine}, chosen on other weights, does not", engine=chosen)
            seen.append(replace(candidate, why=why if name == chosen else other))
            break
        seen.extend([] if candidate is None else [candidate])
    taken = seen[-1].engine
    if taken != REFERENCE:  # beside which the others are shown
        seen.append(Candidate(REFERENCE, times.get(REFERENCE), bench.ready[REFERENCE].compile_seconds))
    bench.keep_only(taken)
    seconds = time.perf_counter() - begin
    return Choice(taken, bench.ready[taken], (*seen, *bench.unusable), bench.tolerance, batch, seconds)


def judge(
    engine: Engine,
    model: nn.Module,
    images: Tensor,
    *,
    device: torch.device,
    tolerance: Tolerance | None = None,
    batch: int = 8,
    turns: int = 2,
) -> Choice:
    """An engine that was asked for by name, beside eager fp32 on the same images: it is taken whatever it answers, and
    what `choose` would have held against it is told. The arguments are those of `choose`.

    Raises:
        EngineError: the engine cannot run here or cannot take this network, or there are too few images.
        MissingExtraError: a package is not installed that an extra brings.
    """
    begin = time.perf_counter()
    bench = _Bench.of(model, images, device, batch, tolerance, asked=engine.name)
    reference = bench.logits(REFERENCE)
    bench.prepare(engine)
    bench.source.forget()
    seen = [
        _compared(bench, Candidate(name, seconds, bench.ready[name].compile_seconds), reference)
        for name, seconds in _times(bench, turns).items()
    ]
    told = tuple(_as_asked(each) if each.engine == engine.name else each for each in seen)
    bench.keep_only(engine.name)
    seconds = time.perf_counter() - begin
    return Choice(engine.name, bench.ready[engine.name], told, bench.tolerance, batch, seconds)


def _as_asked(candidate: Candidate) -> Candidate:
    """With the words for an engine that was not chosen but asked for."""
    if candidate.accepted:
        return replace(candidate, why=noted("as asked; agrees with fp32"))
    return replace(candidate, why=noted("as asked, although {why}", why=candidate.why))


@dataclass
class _Bench:
    """What candidates are compared on. `images` are on the device; `ready` are the candidates that can be used,
    `unusable` the others with the reason. Of those in `needed` an error passes through."""

    source: Source
    images: Tensor
    batch: int
    tolerance: Tolerance
    needed: frozenset[str]
    ready: dict[str, Prepared] = field(default_factory=dict)
    unusable: list[Candidate] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        model: nn.Module,
        images: Tensor,
        device: torch.device,
        batch: int,
        tolerance: Tolerance | None,
        asked: str = REFERENCE,
    ) -> _Bench:
        """A bench on which the reference is ready."""
        if images.ndim != 4 or len(images) < FEWEST_IMAGES:
            raise EngineError(f"to choose an engine takes {FEWEST_IMAGES} images, got the shape {tuple(images.shape)}")
        calibration, judged = parted(images)
        source = Source(model, crop=images.shape[-1], device=device, calibration=calibration)
        bench = cls(source, judged.to(device), batch, tolerance or Tolerance(), frozenset({REFERENCE, asked}))
        bench.prepare(get_engine(REFERENCE))
        return bench

    def prepare(self, engine: Engine) -> None:
        """Make an engine ready, unless it is or cannot be."""
        if engine.name not in self.ready:
            prepared = self.attempt(engine.name, partial(prepare, engine, self.source))
            if prepared is not None:
                self.ready[engine.name] = prepared

    def logits(self, engine: str) -> Tensor:
        """Of all images, float32, shape (n, classes), on the CPU."""
        return in_chunks(self.ready[engine], self.images, self.batch)

    def attempt(self, engine: str, work: Callable[[], T]) -> T | None:
        """Do something with an engine. One that fails is let go of, with its reason, unless it is needed."""
        try:
            return work()
        except Exception as error:
            if engine in self.needed:
                raise
            why = _in_words(engine, error)
        self.drop(engine)  # here, for the error holds on to tensors
        self.unusable.append(Candidate(engine, why=why))
        return None

    def show(self, engine: str, images: Tensor) -> Tensor:
        """Logits of images by an engine."""
        logits: Tensor = self.ready[engine](images)
        return logits

    def drop(self, engine: str) -> None:
        """Let go of an engine and of its memory."""
        self.ready.pop(engine, None)
        if self.images.device.type == "cuda":
            self._tidy()

    def keep_only(self, engine: str) -> None:
        """Let go of all the others."""
        self.ready = {engine: self.ready[engine]}
        self._tidy()

    def _tidy(self) -> None:
        gc.collect()  # a graph's nodes hold on to each other
        if self.images.device.type == "cuda":
            torch.cuda.empty_cache()


def _in_words(engine: str, error: Exception) -> str:
    """Why an engine could not be used, in one line."""
    if isinstance(error, NetversusError):
        return str(error)
    if out_of_memory(error):
        return f"{engine} ran out of memory"
    return f"{engine} cannot take this network: {type(error).__name__}: {first_line(error)}"


def _reference(bench: _Bench) -> Tensor:
    """What fp32 by torch answers to the images that are judged on."""
    logits = bench.logits(REFERENCE)
    if not bool(torch.isfinite(logits).all()):
        raise CellError(f"the network gives NaN or infinite outputs in fp32, first from {_origin(bench, REFERENCE)}")
    return logits


def _times(bench: _Bench, turns: int) -> dict[str, float]:
    """The least seconds an image of each engine, the fastest first."""
    images = filled_up(bench.images[: bench.batch], bench.batch)
    for engine in tuple(bench.ready):
        bench.attempt(engine, partial(bench.show, engine, images))  # some compile at the first sight of a batch size
    least: dict[str, float] = {}
    for _ in range(turns):
        for engine in tuple(bench.ready):
            seconds = bench.attempt(engine, partial(_least, bench, engine, images))
            if seconds is not None:
                least[engine] = min(seconds, least.get(engine, seconds))
    return {engine: least[engine] for engine in sorted(bench.ready, key=least.__getitem__)}


def _least(bench: _Bench, engine: str, images: Tensor) -> float:
    return min(_timed(bench.ready[engine], images) for _ in range(REPEATS))


def _timed(prepared: Prepared, images: Tensor) -> float:
    """Seconds an image."""
    begin = time.perf_counter()
    prepared(images)
    synchronize(images.device)
    return (time.perf_counter() - begin) / len(images)


def _look(bench: _Bench, times: Mapping[str, float], reference: Tensor, *, every: bool) -> list[Candidate]:
    """Candidates, the fastest first; the agreement of those that may still be chosen, or of all. Those that cannot be
    chosen any more are let go of."""
    seen: list[Candidate] = []
    enough = float("inf")
    for engine, seconds in times.items():
        candidate = Candidate(engine, seconds, bench.ready[engine].compile_seconds)
        if every or seconds <= enough:
            compared = bench.attempt(engine, partial(_compared, bench, candidate, reference))
            if compared is None:
                continue
            candidate = compared
        if candidate.accepted:
            enough = min(enough, AS_FAST * seconds)
        if engine != REFERENCE and (seconds > enough or not candidate.accepted):
            bench.drop(engine)
        seen.append(candidate)
    return seen


def _seen_again(bench: _Bench, name: str, seconds: float | None, reference: Tensor) -> Candidate | None:
    """An engine that was timed before, prepared and compared now; None where it fails, which the bench tells."""
    bench.prepare(get_engine(name))
    if name not in bench.ready:
        return None
    candidate = Candidate(name, seconds, bench.ready[name].compile_seconds)
    compared = bench.attempt(name, partial(_compared, bench, candidate, reference))
    if compared is not None and not compared.accepted:
        bench.drop(name)
    return compared


def _compared(bench: _Bench, candidate: Candidate, reference: Tensor) -> Candidate:
    """A candidate with its agreement with the reference logits."""
    logits = bench.logits(candidate.engine)
    if logits.shape != reference.shape:
        shapes = {"came": tuple(logits.shape), "expected": tuple(reference.shape)}
        return replace(candidate, why=noted("its outputs have the shape {came}, not {expected}", **shapes))
    if not bool(torch.isfinite(logits).all()):
        origin = _origin(bench, candidate.engine)
        return replace(candidate, why=noted("NaN or infinite outputs, first from {origin}", origin=origin))
    flips = int((logits.argmax(1) != reference.argmax(1)).sum())
    changes = (logits.double().softmax(1) - reference.double().softmax(1)).abs().amax(1)
    shift, judged = float(changes.mean()), len(logits)
    why = ""
    if flips > bench.tolerance.flips * judged:
        why = noted(
            "the first class of {n} of {total} images changed, tolerated are {limit} %",
            n=flips,
            total=judged,
            limit=f"{100 * bench.tolerance.flips:g}",
        )
    elif shift > bench.tolerance.shift:
        said = template("probabilities moved by {n} on average, tolerated are {limit}")
        why = noted(said, n=f"{shift:.3g}", limit=f"{bench.tolerance.shift:g}")
    return replace(
        candidate,
        judged=judged,
        flips=flips,
        shift=shift,
        largest=float(changes.max()),
        accepted=not why,
        why=why,
    )


def _origin(bench: _Bench, engine: str) -> str:
    """Where an engine's NaN come from: a layer's name, or the engine itself where it shows no layers."""
    prepared = bench.ready[engine]
    layers = dict(bench.source.original.named_modules())
    if isinstance(prepared.network, nn.Module):
        for part in torch.split(bench.images, bench.batch):
            origin = nan_origin(prepared.network, prepared.enter(part))
            if origin in layers or origin == "the images":
                return str(origin)
            if origin and engine == REFERENCE:
                return origin
    return noted("inside the engine")


def _decide(seen: list[Candidate]) -> tuple[str, list[Candidate]]:
    """The engine to take, and the candidates with the reason in words."""
    accepted = [(each.seconds or 0.0, each) for each in seen if each.accepted]
    best = accepted[0][0]
    as_fast = [each for seconds, each in accepted if seconds <= AS_FAST * best]
    chosen = min(as_fast, key=lambda each: each.shift or 0.0).engine
    told = []
    for each in seen:
        why = each.why
        if each.engine == chosen:
            why = noted("chosen: the fastest that agrees with fp32")
        elif each in as_fast:
            why = noted("agrees with fp32; as fast as {engine}, further from fp32", engine=chosen)
        elif each.accepted:
            why = noted("agrees with fp32; slower")
        elif not why:
            why = noted("slower than {engine}; its agreement was not looked at", engine=chosen)
        told.append(replace(each, why=why))
    return chosen, told
