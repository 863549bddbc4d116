"""Every raw observation of a run, and every finding, as typed tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict

import pyarrow as pa

from netversus.plan import Plan
from netversus.records import Cell, Finding, Question
from netversus.report import ReportView
from netversus.store import RunStore

OBSERVATIONS = pa.schema(
    [
        ("study", pa.string()),
        ("cell", pa.string()),
        ("seed", pa.int64()),
        ("contender", pa.string()),
        ("metric", pa.string()),
        ("observed_on", pa.string()),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("scale", pa.string()),
        ("direction", pa.string()),
        ("paired_on", pa.string()),
        ("in_plan", pa.bool_()),
        ("outcome", pa.string()),
    ]
)
"""`observed_on` is the image, round or block; `unit` and what follows are the question's, null where a metric is none
(what an estimator takes, curves). `in_plan` is false for cells of an earlier plan; `outcome` is null where a cell has
not ended."""

FINDINGS = pa.schema(
    [
        *((name, pa.string()) for name in ("study", "metric", "slice", "a", "b", "verdict", "role", "scale")),
        *((name, pa.string()) for name in ("direction", "unit")),
        *((name, pa.float64()) for name in ("value_a", "value_b", "estimate", "low", "high", "level")),
        *((name, pa.float64()) for name in ("margin", "margin_declared")),
        ("paired_on", pa.string()),
        ("n", pa.int64()),
        *((name, pa.float64()) for name in ("p_raw", "p_value", "e_value")),
        *((name, pa.int64()) for name in ("available", "further_units")),
        *((name, pa.string()) for name in ("scope", "method", "sentence", "expert")),
        ("caveats", pa.list_(pa.string())),
    ]
)
"""A row a finding, slices too. `value_a`, `estimate`, `low` and `high` are in `unit`, "%" as a fraction; for a RATIO
the last three are ratios B / A. Null: there is none."""


def observations(store: RunStore) -> pa.Table:
    """Every observation that the run folder holds, in the order of the plan; then those of earlier plans.

    Raises:
        RunFolderError: the run is damaged.
    """
    plan = store.plan()
    parts = [_cell(store, cell, plan) for cell in _cells(store, plan)]
    return pa.concat_tables([OBSERVATIONS.empty_table(), *(part for part in parts if part is not None)])


def _cells(store: RunStore, plan: Plan) -> Iterator[Cell]:
    seen = set()
    for each in (plan, *store.plans()):
        for cell in each.cells:
            if cell.key not in seen:
                seen.add(cell.key)
                yield cell


def _cell(store: RunStore, cell: Cell, plan: Plan) -> pa.Table | None:
    now = {each.key for each in plan.cells}
    outcome = store.outcome(cell)
    tables = []
    for (contender, metric), sample in store.cell(cell).observations().items():
        question = _question(plan, cell.study, metric)
        n = len(sample.units)
        same = {
            "study": cell.study,
            "cell": cell.key,
            "seed": cell.seed,
            "contender": contender,
            "metric": metric,
            "unit": question.unit if question else None,
            "scale": question.scale.value if question else None,
            "direction": question.direction.value if question else None,
            "paired_on": question.paired_on if question else None,
            "in_plan": cell.key in now,
            "outcome": outcome.status if outcome else None,
        }
        columns = {name: pa.repeat(pa.scalar(v, OBSERVATIONS.field(name).type), n) for name, v in same.items()}
        columns |= {"observed_on": pa.array(sample.units, pa.string()), "value": pa.array(sample.values, pa.float64())}
        tables.append(pa.table([columns[name] for name in OBSERVATIONS.names], schema=OBSERVATIONS))
    return pa.concat_tables(tables) if tables else None


def _question(plan: Plan, study: str, metric: str) -> Question | None:
    return next((q for q in plan.questions.get(study, ()) if q.metric == metric), None)


def findings(view: ReportView) -> pa.Table:
    """Every finding, in the order of the report."""
    return pa.Table.from_pylist([_finding(finding) for finding in view.findings], schema=FINDINGS)


def _finding(finding: Finding) -> dict[str, object]:
    row = asdict(finding)
    effect = row.pop("effect") or {}
    return {**row, **effect, "caveats": list(finding.caveats)}
