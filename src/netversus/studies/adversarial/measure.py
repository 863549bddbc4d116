"""Attack every contender on the same images, and show each what was made to mislead the others."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from netversus.errors import DataError
from netversus.lab.attacks.budget import Budget
from netversus.lab.attacks.draws import keys_of
from netversus.lab.attacks.smoothing import ABSTAINED, Smoothing, certify
from netversus.lab.attacks.symptoms import symptoms
from netversus.lab.attacks.verify import allowed_within
from netversus.lab.attacks.victim import Victim
from netversus.lab.bench import Bench
from netversus.lab.evaluation import Batch, batches
from netversus.lab.preprocessing import geometry
from netversus.messages import noted
from netversus.records import Artifact, ContenderCard, Emission, Observations, Preprocessing, Progress, digest
from netversus.statistics.order import recorded_shuffle
from netversus.studies.adversarial import SELECTION, SHORT_STEPS, protocol
from netversus.studies.adversarial.found import Found, Search
from netversus.studies.adversarial.pictures import example_pictures
from netversus.study import LEFT_OUT

_PASSES_OF_CHECKS = 2  # checks and smoothing, beside the batches, as steps of the progress


def measure(bench: Bench) -> Iterator[Emission]:
    """Batch by batch: the attacks on each contender, then what misleads the others; at the end checks and smoothing.

    Where the user asked for it, the reading ends with the batch after which the verdict is certain."""
    siege = Siege(bench)
    yield from siege.told()
    images = bench.data.split("test")
    order = recorded_shuffle(len(images), bench.options.order_seed)[: bench.options.images]
    left_out: dict[str, str] = {}
    total = len(order) + _PASSES_OF_CHECKS * len(bench.contenders)
    shapes = [card.preprocessing for card in bench.contenders]
    for batch in batches(images, order, bench.options.batch, bench.device, preprocessings=shapes, leave_out=True):
        if batch.left_out:
            left_out |= batch.left_out
            yield from (Artifact(LEFT_OUT, json.dumps(left_out).encode(), card.name) for card in bench.contenders)
        if batch.ids:
            yield from siege.attacked(batch)
        yield Progress(batch.stop, total, noted("images"))
        if bench.enough():
            break
    if len(left_out) == len(order):
        raise DataError(f"none of {len(order):,} images could be read, first {next(iter(left_out.values()))}")
    for number, card in enumerate(bench.contenders):
        yield from siege.checked(card)
        yield Progress(len(order) + 2 * number + 1, total, noted("images and checks"))
        yield from siege.certified(card)
        yield Progress(len(order) + 2 * number + 2, total, noted("images and checks"))


@dataclass
class _Some:
    """The first images of the run as a contender sees them."""

    ids: list[str] = field(default_factory=list)
    pixels: list[Tensor] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)


class Siege:
    """All contenders, each with its attacker."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        options = bench.options
        self.protocols = {card.name: protocol.protocol(options, card.preprocessing.crop) for card in bench.contenders}
        budget = Budget(
            steps=options.steps,
            targets=options.targets,
            queries=options.queries,
            short_steps=SHORT_STEPS,
            bfloat16=options.precision == "bfloat16",
        )
        self.searches = {
            card.name: Search(
                Victim(
                    bench.model(card),
                    card.preprocessing,
                    bench.device,
                    name=card.name,
                    folded=True,
                    room=bench.room(card),
                ),
                self.protocols[card.name],
                budget,
                options.transfer_steps,
            )
            for card in bench.contenders
        }
        self._first: dict[str, _Some] = {card.name: _Some() for card in bench.contenders}

    def told(self) -> Iterator[Artifact]:
        """What each contender is put through."""
        for card in self.bench.contenders:
            yield Artifact(protocol.PROTOCOL, self.protocols[card.name].dumped(), card.name)

    # Under attack

    def attacked(self, batch: Batch) -> Iterator[Emission]:
        """One batch against every contender, and what was made on each shown to the others."""
        found: dict[str, Found] = {}
        labels = torch.from_numpy(batch.labels)
        for card in self.bench.contenders:
            pixels = self._pixels(card, batch)
            found[card.name] = self._found(card, batch, pixels, labels)
            yield from self._observed(card, batch, found[card.name])
        for card in self.bench.contenders:
            yield from self._transferred(card, batch, labels, found)
            if self.bench.kept(card.name, protocol.PICTURES) is None:
                yield from self._pictures(card, batch, labels, found)

    def _pixels(self, card: ContenderCard, batch: Batch) -> Tensor:
        """The batch as the contender's attacker may change it, resized and cropped before: float32 in [0, 1]."""
        pixels = batch.pixels(card.preprocessing).float().div(255)
        some, wanted = self._first[card.name], max(self.bench.options.checks, self.bench.options.smoothing_images)
        for row in range(min(len(batch.ids), wanted - len(some.ids))):
            some.ids.append(batch.ids[row])
            some.pixels.append(pixels[row].clone())
            some.labels.append(int(batch.labels[row]))
        return pixels

    def _found(self, card: ContenderCard, batch: Batch, pixels: Tensor, labels: Tensor) -> Found:
        """From the scratch folder, where an interrupted cell left it; else searched now."""
        path = self.bench.scratch(card.name) / f"found-{digest(card.name)[:16]}-{batch.stop}.safetensors"
        if path.is_file():
            return Found.load(path)
        keys = keys_of(batch.ids, self.bench.options.order_seed)
        found = self.searches[card.name].find(pixels, labels, keys)
        path.parent.mkdir(parents=True, exist_ok=True)
        found.save(path)
        return found

    def _observed(self, card: ContenderCard, batch: Batch, found: Found) -> Iterator[Observations]:
        settings = self.protocols[card.name]
        capped = (255 * found.smallest).clamp_max(settings.distances[-1])
        values = {
            "clean_top1": found.clean,
            "robust_top1": found.right_at(protocol.fraction(settings.eps)),
            "smallest_eps": capped,
            **{protocol.right_at(eps): found.right_at(protocol.fraction(eps)) for eps in settings.distances},
            **{protocol.right_after(name): found.after[:, place] for place, name in enumerate(settings.attacks)},
        }
        for metric, each in values.items():
            yield Observations(card.name, metric, batch.ids, tuple(each.double().tolist()))

    def _transferred(
        self, card: ContenderCard, batch: Batch, labels: Tensor, found: Mapping[str, Found]
    ) -> Iterator[Observations]:
        """What was made on each other contender that sees the same pixels, shown to this one."""
        sources = [
            other.name
            for other in self.bench.contenders
            if other.name != card.name and _same_pixels(other.preprocessing, card.preprocessing)
        ]
        if not sources:
            return
        search, everywhere = self.searches[card.name], found[card.name].clean.clone()
        clean = self._pixels(card, batch)
        for source in sources:
            shown = found[source].transfer
            allowed = allowed_within(clean, shown, search.threat(self.protocols[card.name].eps))
            right = (search.victim.exact(shown).argmax(1) == labels) | (~allowed & found[card.name].clean)
            everywhere &= right
            units = tuple(protocol.under(unit, source) for unit in batch.ids)
            yield Observations(card.name, protocol.UNDER, units, tuple(right.double().tolist()))
        yield Observations(card.name, "transfer_top1", batch.ids, tuple(everywhere.double().tolist()))

    def _pictures(
        self, card: ContenderCard, batch: Batch, labels: Tensor, found: Mapping[str, Found]
    ) -> Iterator[Artifact]:
        """Some images with their examples, those that turned every contender first."""
        fooled = {name: each.clean & torch.isfinite(each.smallest) for name, each in found.items()}
        everyone = torch.stack(list(fooled.values())).all(0)
        rows = [*(fooled[card.name] & everyone).nonzero()[:, 0], *(fooled[card.name] & ~everyone).nonzero()[:, 0]]
        if not rows:
            return
        answers = self.searches[card.name].victim.exact(found[card.name].example).argmax(1)
        strip, captions = example_pictures(
            self._pixels(card, batch), found[card.name], labels, answers, batch.ids, [int(row) for row in rows]
        )
        yield Artifact(protocol.CAPTIONS, captions, card.name)
        yield Artifact(protocol.PICTURES, strip, card.name)

    # What tells a failed attack from a good defence, and what is certain

    def checked(self, card: ContenderCard) -> Iterator[Artifact]:
        """The signs that an attack failed for the wrong reasons, on a few images."""
        if self.bench.kept(card.name, protocol.CHECKS) is not None:
            return
        some, n, search = self._first[card.name], self.bench.options.checks, self.searches[card.name]
        settings = self.protocols[card.name]
        found = symptoms(
            search.victim,
            torch.stack(some.pixels[:n]),
            torch.tensor(some.labels[:n]),
            search.threat(settings.eps),
            search.budget,
            keys_of(some.ids[:n], self.bench.options.order_seed),
            curve=settings.distances,
        )
        yield Artifact(protocol.CHECKS, json.dumps(found.facts()).encode(), card.name)

    def certified(self, card: ContenderCard) -> Iterator[Emission]:
        """A certified radius for the first images; 0 where the smoothed answer is wrong or not sure."""
        some, options, victim = self._first[card.name], self.bench.options, self.searches[card.name].victim
        smoothing = Smoothing(options.smoothing_sigma, SELECTION, options.smoothing_copies)
        ids = some.ids[: options.smoothing_images]
        stored = set.intersection(
            *(set(self.bench.stored(card.name, m)) for m in ("certified_radius", protocol.SMOOTHED, protocol.ABSTAINED))
        )
        for unit, pixels, label, key in zip(
            ids, some.pixels, some.labels, keys_of(ids, options.order_seed).tolist(), strict=False
        ):
            if unit in stored:
                continue
            certificate = certify(victim, pixels, smoothing, key)
            right = certificate.answer == label
            values = {
                "certified_radius": certificate.radius if right else 0.0,
                protocol.SMOOTHED: float(right),
                protocol.ABSTAINED: float(certificate.answer == ABSTAINED),
            }
            for metric, value in values.items():
                yield Observations(card.name, metric, (unit,), (value,))


def _same_pixels(one: Preprocessing, other: Preprocessing) -> bool:
    """Whether a change made for one contender means the same to the other."""
    return geometry(one) == geometry(other)
