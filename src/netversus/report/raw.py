"""The raw observations of a run as one CSV file, where they are few enough to travel within a page."""

from __future__ import annotations

import csv
from io import StringIO

from netversus.plan import Plan
from netversus.records import Done
from netversus.report.escape import csv_text
from netversus.store import RunStore

MOST_ROWS = 30_000
COLUMNS = ("study", "seed", "contender", "metric", "unit", "value")


def raw_csv(store: RunStore, plan: Plan) -> str:
    """A row an observation, values in full; empty where there are more than `MOST_ROWS`, which are not even read."""
    outcomes = {cell.key: store.outcome(cell) for cell in plan.cells}
    done = [outcome for outcome in outcomes.values() if isinstance(outcome, Done)]
    if not done or sum(outcome.observations for outcome in done) > MOST_ROWS:
        return ""
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for cell in plan.cells:
        if isinstance(outcomes[cell.key], Done):
            for (contender, metric), sample in sorted(store.cell(cell).observations().items()):
                head = (cell.study, cell.seed, csv_text(contender), metric)
                rows = zip(map(csv_text, sample.units), map(float, sample.values), strict=True)
                writer.writerows((*head, unit, repr(value)) for unit, value in rows)
    return text.getvalue()
