"""The fastest engine whose outputs agree with fp32 on the user's own images."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from netversus.errors import CellError, EngineError, MissingExtraError
from netversus.lab.engines import get_engine
from netversus.lab.engines.engine import Engine
from netversus.lab.engines.nan_origin import nan_origin
from netversus.lab.engines.prepared import Prepared, prepare, synchronize
from netversus.lab.engines.source import Source
from netversus.messages import noted, template

REFERENCE = "eager"
AS_FAST = 1.05  # what is slower by less is as fast: noise, and no reason to move away from fp32
MOST_CALIBRATION = 64
FEWEST_IMAGES = 4
TURNS = 6
REPEATS = 2  # in a turn: the first follows another engine, whose threads may still be spinning


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

    @property
    def fallbacks(self) -> tuple[str, ...]:
        """One line for each engine that could not be used, naming it."""
        return tuple(f"{each.engine}: {each.why}" for each in self.candidates if each.seconds is None)


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
    judged on, so that no engine is praised for what it was fitted to.

    Args:
        engines: those to try; eager is always among them.
        model: the network; it is left as it was.
        images: the user's own, as they will be shown (normalised): float32, shape (n, 3, crop, crop), n >= 4. Where
            none of n images flips, at most 3/n of all images do, at 95 % (the rule of three).
        device: where the network will run.
        tolerance: how far from fp32 an engine may be.
        batch: images shown at once when timing.
        turns: how often each is timed, `REPEATS` times running; the least counts.
        every: look at the agreement of all engines, the slow ones too.

    Raises:
        CellError: fp32 itself gives NaN or infinite outputs; the first layer that does is named.
        EngineError: there are too few images.
    """
    begin = time.perf_counter()
    source, judged = _split(model, images, device)
    tolerance = tolerance or Tolerance()
    ready, unusable = _prepare((get_engine(REFERENCE), *engines), source)
    bench = _Bench(source.original, ready, judged, batch, tolerance)
    seen = _look(bench, _times(bench, turns), every=every)
    chosen, told = _decide(seen)
    return Choice(chosen, ready[chosen], (*told, *unusable), tolerance, batch, time.perf_counter() - begin)


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
    source, judged = _split(model, images, device)
    tolerance = tolerance or Tolerance()
    ready = {each.name: prepare(each, source) for each in (get_engine(REFERENCE), engine)}
    bench = _Bench(source.original, ready, judged, batch, tolerance)
    reference = bench.logits(REFERENCE)
    seen = [
        _compared(bench, Candidate(name, seconds, ready[name].compile_seconds), reference)
        for name, seconds in _times(bench, turns).items()
    ]
    told = tuple(_as_asked(each) if each.engine == engine.name else each for each in seen)
    return Choice(engine.name, ready[engine.name], told, tolerance, batch, time.perf_counter() - begin)


def _as_asked(candidate: Candidate) -> Candidate:
    """With the words for an engine that was not chosen but asked for."""
    if candidate.accepted:
        return replace(candidate, why=noted("as asked; agrees with fp32"))
    return replace(candidate, why=noted("as asked, although {why}", why=candidate.why))


def _split(model: nn.Module, images: Tensor, device: torch.device) -> tuple[Source, Tensor]:
    """The network with images to calibrate on, and the images to judge on, on the device."""
    if images.ndim != 4 or len(images) < FEWEST_IMAGES:
        raise EngineError(f"to choose an engine takes {FEWEST_IMAGES} images, got the shape {tuple(images.shape)}")
    held = min(MOST_CALIBRATION, len(images) // 4)
    source = Source(model, crop=images.shape[-1], device=device, calibration=images[:held])
    return source, images[held:].to(device)


def _prepare(engines: Iterable[Engine], source: Source) -> tuple[dict[str, Prepared], list[Candidate]]:
    """Engines by name, ready; and those that could not be used, with the reason."""
    ready: dict[str, Prepared] = {}
    unusable: list[Candidate] = []
    for engine in {engine.name: engine for engine in engines}.values():
        try:
            ready[engine.name] = prepare(engine, source)
        except (EngineError, MissingExtraError) as error:
            if engine.name == REFERENCE:
                raise
            unusable.append(Candidate(engine.name, why=str(error)))
    return ready, unusable


@dataclass(frozen=True)
class _Bench:
    """What candidates are compared on. `images` are on the device."""

    original: nn.Module
    ready: Mapping[str, Prepared]
    images: Tensor
    batch: int
    tolerance: Tolerance

    def logits(self, engine: str) -> Tensor:
        """Of all images, float32, shape (n, classes), on the CPU."""
        return torch.cat([self.ready[engine](part).cpu() for part in torch.split(self.images, self.batch)])


def _times(bench: _Bench, turns: int) -> dict[str, float]:
    """The least seconds an image of each engine, the fastest first."""
    images = bench.images[: bench.batch]
    least = dict.fromkeys(bench.ready, float("inf"))
    for prepared in bench.ready.values():
        prepared(images)  # the first sight of this batch size, which some compile for
    for _ in range(turns):
        for engine, prepared in bench.ready.items():
            for _ in range(REPEATS):
                least[engine] = min(least[engine], _timed(prepared, images))
    return dict(sorted(least.items(), key=lambda item: item[1]))


def _timed(prepared: Prepared, images: Tensor) -> float:
    """Seconds an image."""
    begin = time.perf_counter()
    prepared(images)
    synchronize(images.device)
    return (time.perf_counter() - begin) / len(images)


def _look(bench: _Bench, times: Mapping[str, float], *, every: bool) -> list[Candidate]:
    """Candidates, the fastest first; the agreement of those that may still be chosen, or of all."""
    reference = bench.logits(REFERENCE)
    if not bool(torch.isfinite(reference).all()):
        raise CellError(f"the network gives NaN or infinite outputs in fp32, first from {_origin(bench, REFERENCE)}")
    seen: list[Candidate] = []
    enough = float("inf")
    for engine, seconds in times.items():
        candidate = Candidate(engine, seconds, bench.ready[engine].compile_seconds)
        if every or seconds <= enough:
            candidate = _compared(bench, candidate, reference)
        if candidate.accepted:
            enough = min(enough, AS_FAST * seconds)
        seen.append(candidate)
    return seen


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
    layers = dict(bench.original.named_modules())
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
