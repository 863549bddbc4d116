"""Show every contender the same boxes, associate them by what it sees, and count what the tracks are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from netversus.lab.bench import Bench
from netversus.lab.contenders.spec import parse
from netversus.lab.data.annotated import Clip
from netversus.lab.tracking.appearance import Eye, look, random_twin
from netversus.lab.tracking.association import associate
from netversus.lab.tracking.film import film
from netversus.lab.tracking.given import Shown, disturbed_boxes, true_boxes, with_true_names
from netversus.lab.tracking.judge import judge
from netversus.lab.tracking.library import track_by
from netversus.lab.tracking.results import as_text, as_zip, from_zip, read_results
from netversus.lab.tracking.tracks import Array, Tracks, Truth, truth_of
from netversus.records import Artifact, ContenderCard, Emission, Observations, Progress
from netversus.statistics.order import recorded_shuffle
from netversus.statistics.tracks import Counts, dumped, loaded
from netversus.studies.tracking import (
    CEILING,
    FILMS,
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
    file_of,
    film_of,
)

GIVEN, TRUE = "given", "true"
Ways = Mapping[str, Tracks]


def measure(bench: Bench) -> Iterator[Emission]:
    """The tracks of every sequence in every way, and their counts; sequences that are stored are left out."""
    clips = _asked(bench)
    books = [_Book(bench, card, clips) for card in bench.contenders]
    told = {book.card.name: _results(book.card, bench) for book in books if book.card.source == "results"}
    eyes = _eyes(bench, [book for book in books if book.card.name not in told and book.open])
    for number, clip in enumerate(clips):
        waiting = [book for book in books if clip.name not in book.seen]
        if waiting:
            truth = truth_of(clip, bench.options.pictures)
            seen = _Sight(bench, clip, truth, [book.card.name for book in waiting], eyes)
            for book in waiting:
                name = book.card.name
                ways = {TRACKED: _first(told[name][clip.name], truth.length)} if name in told else seen.tracked(name)
                yield from book.enter(clip, truth, ways)
        yield Progress(number + 1, len(clips), "sequences tracked")


def _asked(bench: Bench) -> list[Clip]:
    """The test sequences that are tracked, in the order of the data."""
    clips = bench.data.sequences["test"]
    chosen = recorded_shuffle(len(clips), bench.options.order_seed)[: bench.options.sequences]
    return [clips[int(index)] for index in sorted(chosen)]


def _results(card: ContenderCard, bench: Bench) -> dict[str, Tracks]:
    """The tracks that a contender's files tell, all of them read before anything is judged."""
    return read_results(Path(parse(card.spec).target).expanduser(), bench.data.sequences["test"])


def _first(tracks: Tracks, length: int) -> Tracks:
    return tracks.only(tracks.frames < length)


def _eyes(bench: Bench, books: Sequence[_Book]) -> dict[str, dict[str, Eye]]:
    """Of each contender its own eye, and that of a random network of its kind."""
    return {
        book.card.name: {
            TRACKED: Eye.of(book.card, bench.model(book.card), bench.device),
            RANDOM: Eye.of(book.card, random_twin(bench.model(book.card), bench.seed), bench.device),
        }
        for book in books
    }


class _Sight:
    """One sequence: the boxes that are given and the true ones, and what every contender sees in them."""

    def __init__(
        self, bench: Bench, clip: Clip, truth: Truth, names: Sequence[str], eyes: Mapping[str, Mapping[str, Eye]]
    ) -> None:
        self.tracker = bench.options.tracker
        self.given: tuple[Shown, ...] = disturbed_boxes(truth, bench.options.boxes_seed)
        self.true: tuple[Shown, ...] = true_boxes(truth)
        asked = {name: eyes[name] for name in names if name in eyes}
        own = {name: each[TRACKED] for name, each in asked.items()}
        self.own = look(clip, {GIVEN: self.given, TRUE: self.true}, own) if own else {}
        random = {name: each[RANDOM] for name, each in asked.items()}
        self.random = look(clip, {GIVEN: self.given}, random) if random else {}

    def tracked(self, name: str) -> Ways:
        """The tracks of a contender, in every way."""
        ways: dict[str, Tracks] = {
            TRACKED: associate(self.given, self._of(name, GIVEN)),
            MOTION: associate(self.given),
            RANDOM: associate(self.given, self.random[name, GIVEN]),
            CEILING: with_true_names(self.given),
            ORACLE: associate(self.true, self._of(name, TRUE)),
            ORACLE_MOTION: associate(self.true),
        }
        if self.tracker != "none":
            ways[LIBRARY] = track_by(self.tracker, self.given)
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
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for way in WAYS:
            kept = self.bench.kept(self.card.name, file_of(way))
            self.counts[way] = {one.unit: one for one in loaded(kept)} if kept else {}
        tracks = self.bench.kept(self.card.name, TRACKS)
        self.texts = from_zip(tracks) if tracks else {}
        stored = set(self.bench.stored(self.card.name, OBJECTS)) & set(self.bench.stored(self.card.name, SWITCHES))
        self.seen = stored & set(self.counts[TRACKED]) & set(self.texts)

    @property
    def open(self) -> bool:
        """Whether a sequence is still to be tracked."""
        return any(clip.name not in self.seen for clip in self.clips)

    def enter(self, clip: Clip, truth: Truth, ways: Ways) -> Iterator[Emission]:
        """Judge a sequence and write it down: the files first, for the numbers say that a sequence is done."""
        name, keep = self.card.name, self.bench.keep
        for way, tracks in ways.items():
            self.counts[way][clip.name] = judge(truth, tracks)
            keep(Artifact(file_of(way), dumped(self._in_order(self.counts[way])), name))
        self.texts[clip.name] = as_text(ways[TRACKED])
        keep(Artifact(TRACKS, as_zip(self.texts), name))
        place = self.clips.index(clip)
        if place < FILMS:
            keep(Artifact(film_of(place), film(clip, ways[TRACKED], truth.length), name))
        found = self.counts[TRACKED][clip.name]
        yield Observations(name, OBJECTS, (clip.name,), (float(found.objects),))
        yield Observations(name, SWITCHES, (clip.name,), (float(found.switches),))

    def _in_order(self, counts: Mapping[str, Counts]) -> list[Counts]:
        return [counts[clip.name] for clip in self.clips if clip.name in counts]
