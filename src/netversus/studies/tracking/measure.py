"""Train every contender's detector, associate its boxes, and such as are given to all, by what the contender sees; then
count what the tracks are worth."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import nn

from netversus.errors import CellError, DivergedError
from netversus.lab.bench import Bench
from netversus.lab.contenders.spec import parse
from netversus.lab.data.annotated import Clip
from netversus.lab.detection.own import Lessons, own_detector
from netversus.lab.tracking.appearance import Eye, look, random_twin
from netversus.lab.tracking.association import associate
from netversus.lab.tracking.detected import Taught, detected_boxes, set_apart, to_learn_from
from netversus.lab.tracking.film import film
from netversus.lab.tracking.given import Shown, disturbed_boxes, evenly_sure, true_boxes, with_true_names
from netversus.lab.tracking.judge import judge
from netversus.lab.tracking.least import OVERLAP, best_score
from netversus.lab.tracking.library import track_by
from netversus.lab.tracking.results import as_text, as_zip, from_zip, read_results
from netversus.lab.tracking.tracks import Array, Tracks, Truth, joined, truth_of
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.statistics.tracks import Counts, dumped, loaded
from netversus.studies.tracking import (
    CEILING,
    CHAIN_LIBRARY,
    CHAIN_MOTION,
    DETECTIONS,
    FILMS,
    GIVEN,
    LEAST,
    LIBRARY,
    MOTION,
    OBJECTS,
    ORACLE,
    ORACLE_MOTION,
    RANDOM,
    SWITCHES,
    TRACKED,
    TRACKS,
    WAYS,
    chained,
    file_of,
    film_of,
)

SHARED, TRUE, FOUND = "shared", "true", "found"
"""Boxes that a contender looks into: those given to all, the true ones, and those that its detector found."""
Ways = Mapping[str, Tracks]


def measure(bench: Bench) -> Iterator[Emission]:
    """The tracks of every sequence in every way, and their counts; sequences that are stored are left out."""
    clips = _asked(bench)
    books = [_Book(bench, card, clips) for card in bench.contenders]
    told = {book.card.name: _results(book.card, bench, clips) for book in books if book.card.source == "results"}
    networks = [book.card for book in books if book.card.name not in told and book.open]
    finders = yield from _finders(bench, networks)
    _refuse_nothing(finders, [book for book in books if not book.seen])
    eyes = _eyes(bench, networks)
    for number, clip in enumerate(clips):
        waiting = [book for book in books if clip.name not in book.seen]
        if waiting:
            truth = truth_of(clip, bench.options.pictures)
            names = [book.card.name for book in waiting]
            found = {name: finders[name].found(clip) for name in names if name in finders}
            seen = _Sight(bench, clip, truth, [name for name in names if name in eyes], eyes, found)
            for book in waiting:
                name = book.card.name
                ways = {TRACKED: _first(told[name][clip.name], truth.length)} if name in told else seen.tracked(name)
                yield from book.enter(clip, truth, ways, found.get(name))
        yield Progress(number + 1, len(clips), noted("sequences tracked"))


@dataclass
class _Finder:
    """A contender's detector, the score from which its boxes are tracked, and what it found so far, by sequence."""

    bench: Bench
    name: str
    detector: nn.Module
    least: float
    seen: dict[str, tuple[Shown, ...]] = field(default_factory=dict)

    def found(self, clip: Clip) -> tuple[Shown, ...]:
        """The boxes in each picture that is tracked."""
        if clip.name not in self.seen:
            length, device = _length(self.bench, clip), self.bench.device
            args = (self.detector, clip, length)
            self.seen[clip.name] = detected_boxes(*args, name=self.name, device=device, least=self.least)
        return self.seen[clip.name]


def _finders(bench: Bench, cards: Sequence[ContenderCard]) -> Generator[Emission, None, Mapping[str, _Finder]]:
    """The detector of each contender, trained on what it begins with; none where the tracks begin with given boxes."""
    options, data = bench.options, bench.data
    frames = to_learn_from(data) if chained(options, data.card) and cards else None
    if frames is None:
        return {}
    taught = set_apart(frames) if options.least_score is None else Taught(frames, frames, apart=False)
    lessons = Lessons(taught.lessons, data.card.box_classes, options.side, data.card.name)
    made: dict[str, _Finder] = {}
    for card in cards:
        try:
            detector = yield from own_detector(bench, card, bench.model(card), options, lessons)
        except DivergedError:
            raise
        except CellError as error:
            hint = "--tracking.detector none tracks boxes that are given to all"
            raise CellError(error.message, hint=hint) from None
        made[card.name] = _Finder(bench, card.name, detector, _least_score(bench, card.name, detector, taught))
    return made


def _least_score(bench: Bench, name: str, detector: nn.Module, taught: Taught) -> float:
    """The score from which the boxes of a contender's detector are tracked: given, chosen before, or chosen now.

    Raises:
        CellError: it finds nothing that could be tracked.
    """
    if bench.options.least_score is not None:
        return float(bench.options.least_score)
    kept = bench.kept(name, LEAST)
    if kept is not None:
        return float(json.loads(kept)["score"])
    trial = taught.trial
    found = detected_boxes(detector, trial, len(trial), name=name, device=bench.device, least=0.0)
    best = best_score(found, [trial.boxes(index) for index in range(len(trial))])
    if best is None:
        raise CellError(
            f"{name}: none of the boxes that its detector finds on train pictures ({len(trial)} tried) lies on an "
            f"object (IoU {OVERLAP}), so that there is nothing to track",
            hint="train it longer (--tracking.samples), or name the score of a box that is tracked "
            "(--tracking.least-score)",
        )
    told = asdict(best) | {"pictures": len(trial), "apart": taught.apart}
    bench.keep(Artifact(LEAST, json.dumps(told).encode(), name))
    return best.score


def _refuse_nothing(finders: Mapping[str, _Finder], books: Sequence[_Book]) -> None:
    """See that each detector finds a box somewhere, before a track is judged: two contenders that track nothing have
    the same HOTA of 0, and are not equivalent for it.

    Raises:
        CellError: one finds none.
    """
    for book in books:
        finder = finders.get(book.card.name)
        if finder and not any(len(one) for clip in book.clips for one in finder.found(clip)):
            raise CellError(
                f"{finder.name}: its detector finds no box of a score of {finder.least:.3g} and more on "
                f"{len(book.clips)} test sequences, so that nothing is tracked",
                hint="train it longer (--tracking.samples), or lower --tracking.least-score",
            )


def _asked(bench: Bench) -> list[Clip]:
    """The test sequences that are tracked, in the order of the data."""
    clips = bench.data.sequences["test"]
    chosen = recorded_shuffle(len(clips), bench.options.order_seed)[: bench.options.sequences]
    return [clips[int(index)] for index in sorted(chosen)]


def _length(bench: Bench, clip: Clip) -> int:
    """How many pictures of a sequence are tracked."""
    return min(len(clip), bench.options.pictures or len(clip))


def _results(card: ContenderCard, bench: Bench, clips: Sequence[Clip]) -> dict[str, Tracks]:
    """The tracks that a contender's files tell, all of them read before anything is judged.

    Raises:
        CellError: they tell of no box where it is judged, as of a detector that finds none.
        DataError: they cannot be read.
    """
    told = read_results(Path(parse(card.spec).target).expanduser(), bench.data.sequences["test"])
    if not any(len(_first(told[clip.name], _length(bench, clip))) for clip in clips):
        raise CellError(f"{card.name} has no box in any of {len(clips)} test sequences, so that nothing is tracked")
    return told


def _first(tracks: Tracks, length: int) -> Tracks:
    return tracks.only(tracks.frames < length)


def _eyes(bench: Bench, cards: Sequence[ContenderCard]) -> dict[str, dict[str, Eye]]:
    """Of each contender its own eye, and that of a random network of its kind."""
    return {
        card.name: {
            TRACKED: Eye.of(card, bench.model(card), bench.device, bench.room(card)),
            RANDOM: Eye.of(card, random_twin(bench.model(card), bench.seed), bench.device, bench.room(card)),
        }
        for card in cards
    }


class _Sight:
    """One sequence: the boxes that are given to all, the true ones and those that were found, and what every contender
    sees in them."""

    def __init__(
        self,
        bench: Bench,
        clip: Clip,
        truth: Truth,
        names: Sequence[str],
        eyes: Mapping[str, Mapping[str, Eye]],
        found: Mapping[str, tuple[Shown, ...]],
    ) -> None:
        self.tracker = bench.options.tracker
        self.given: tuple[Shown, ...] = disturbed_boxes(truth, bench.options.boxes_seed)
        self.true: tuple[Shown, ...] = true_boxes(truth)
        self.found = found
        own = {name: eyes[name][TRACKED] for name in names}
        self.own = look(clip, {SHARED: self.given, TRUE: self.true}, own) if own else {}
        random = {name: eyes[name][RANDOM] for name in names}
        self.random = look(clip, {SHARED: self.given}, random) if random else {}
        for name in found:
            self.own |= look(clip, {FOUND: found[name]}, {name: own[name]})

    def tracked(self, name: str) -> Ways:
        """The tracks of a contender, in every way."""
        given = GIVEN if name in self.found else TRACKED
        ways: dict[str, Tracks] = {
            given: associate(self.given, self._of(name, SHARED)),
            MOTION: associate(self.given),
            RANDOM: associate(self.given, self.random[name, SHARED]),
            CEILING: with_true_names(self.given),
            ORACLE: associate(self.true, self._of(name, TRUE)),
            ORACLE_MOTION: associate(self.true),
        }
        if self.tracker != "none":
            ways[LIBRARY] = track_by(self.tracker, self.given)
        return {**ways, **self._chain(name)}

    def _chain(self, name: str) -> Ways:
        """The ways that begin with the boxes of its own detector."""
        found = self.found.get(name)
        if found is None:
            return {}
        ways = {TRACKED: associate(found, self._of(name, FOUND)), CHAIN_MOTION: associate(found)}
        if self.tracker != "none":
            ways[CHAIN_LIBRARY] = track_by(self.tracker, evenly_sure(found))
        return ways

    def _of(self, name: str, boxes: str) -> list[Array]:
        return self.own[name, boxes]


@dataclass
class _Book:
    """What is kept of one contender: the counts of each way, and the tracks, of the sequences that are done."""

    bench: Bench
    card: ContenderCard
    clips: Sequence[Clip]
    counts: dict[str, dict[str, Counts]] = field(default_factory=dict)
    texts: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for way in WAYS:
            kept = self.bench.kept(self.card.name, file_of(way))
            self.counts[way] = {one.unit: one for one in loaded(kept)} if kept else {}
        for name in (TRACKS, DETECTIONS):
            kept = self.bench.kept(self.card.name, name)
            self.texts[name] = from_zip(kept) if kept else {}
        stored = set(self.bench.stored(self.card.name, OBJECTS)) & set(self.bench.stored(self.card.name, SWITCHES))
        self.seen = stored & set(self.counts[TRACKED]) & set(self.texts[TRACKS])

    @property
    def open(self) -> bool:
        """Whether a sequence is still to be tracked."""
        return any(clip.name not in self.seen for clip in self.clips)

    def enter(self, clip: Clip, truth: Truth, ways: Ways, found: Sequence[Shown] | None) -> Iterator[Emission]:
        """Judge a sequence and write it down: the files first, for the numbers say that a sequence is done."""
        name, keep = self.card.name, self.bench.keep
        for way, tracks in ways.items():
            self.counts[way][clip.name] = judge(truth, tracks)
            keep(Artifact(file_of(way), dumped(self._in_order(self.counts[way])), name))
        if found is not None:
            self._write(DETECTIONS, clip, as_text(_nameless(found)))
        self._write(TRACKS, clip, as_text(ways[TRACKED]))
        place = self.clips.index(clip)
        if place < FILMS:
            keep(Artifact(film_of(place), film(clip, ways[TRACKED], truth.length), name))
        counts = self.counts[TRACKED][clip.name]
        yield Observations(name, OBJECTS, (clip.name,), (float(counts.objects),))
        yield Observations(name, SWITCHES, (clip.name,), (float(counts.switches),))

    def _write(self, file: str, clip: Clip, text: str) -> None:
        self.texts[file][clip.name] = text
        self.bench.keep(Artifact(file, as_zip(self.texts[file]), self.card.name))

    def _in_order(self, counts: Mapping[str, Counts]) -> list[Counts]:
        return [counts[clip.name] for clip in self.clips if clip.name in counts]


def _nameless(found: Sequence[Shown]) -> Tracks:
    """Detections as MOTChallenge writes them: of nobody."""
    return joined([(frame, one.objects, one.corners, one.scores) for frame, one in enumerate(found)])
