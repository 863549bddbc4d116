"""What the report says of engines."""

from __future__ import annotations

import json
from types import SimpleNamespace

from netversus.exhibits import Table
from netversus.lab.engines.shown import ENGINE_FILE, engines_shown


def record(engine: str, batch: int | None = 8) -> bytes:
    times = [{"engine": "eager", "seconds": 4e-3}, {"engine": "folded", "seconds": 1e-3, "compile_seconds": 0.3}]
    told = {"engine": engine, "candidates": times, "seconds": 2.0}
    return json.dumps(told if batch is None else told | {"batch": batch}).encode()


def shown(make_card, records: dict[tuple[str, int], bytes]) -> Table:
    seeds = sorted({seed for _, seed in records})
    evidence = SimpleNamespace(
        contenders=[make_card(name) for name in sorted({name for name, _ in records})],
        seeds=seeds,
        artifact=lambda name, contender, seed=seeds[0]: records.get((contender, seed)) if name == ENGINE_FILE else None,
    )
    (table,) = engines_shown(evidence)  # type: ignore[arg-type]
    return table


def test_the_note_says_how_many_images_at_once_the_times_are_of(make_card):
    assert "The times are of 8 images shown at once." in shown(make_card, {("a", 0): record("folded")}).note
    same = shown(make_card, {("a", 0): record("folded"), ("b", 0): record("eager")})
    assert "The times are of 8 images shown at once." in same.note
    other = shown(make_card, {("a", 0): record("folded"), ("b", 0): record("eager", 32)})
    assert "The times are of so many images shown at once: a 8, b 32." in other.note


def test_where_nothing_was_timed_there_is_nothing_to_say_of_it(make_card):
    assert "shown at once" not in shown(make_card, {("a", 0): record("folded", batch=None)}).note


def test_a_seed_that_was_run_on_another_engine_is_named(make_card):
    table = shown(make_card, {("a", 0): record("folded"), ("a", 1): record("folded"), ("a", 2): record("eager")})
    assert "With the weights of seed 2, a was run on eager." in table.note
    assert "seed 1" not in table.note
    assert len(table.rows) == 2
