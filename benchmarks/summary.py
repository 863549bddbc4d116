"""What the benchmarks found, as one page: docs/benchmarks.md, from the files in benchmarks/results.

After any benchmark: python benchmarks/summary.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"

HEAD = """# Measured beside the peers

Each row is a result of a script in `benchmarks/` that ran us and the peer in one process or in turns, so that the ratio
holds where times do not. Its file has the repetitions, the machine and the command. A goal that was missed stays here.
No accelerator was at hand for any of these figures.

`make benchmarks` measures again what can be measured on a machine without an accelerator, with the peers that
`make install` installs, and names the rest with what it needs (`benchmarks/__main__.py` is the list). Files in which
`machine` has no `commit` were measured before it was recorded: they name no versions of torch and numpy either, their
commands are as they were typed, some with files of that machine, and two, statistics_throughput and training_step, keep
the fastest repetition alone.

| benchmark | peer | ratio | what the ratio is | goal | met |
| --- | --- | --- | --- | --- | --- |
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page([json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))]))


def page(results: list[dict[str, Any]]) -> str:
    """The page of these results, in their order."""
    missed = [one["name"] for one in results if not one["met"]]
    count = f"{len(results) - len(missed)} of {len(results)} goals are met; missed: {', '.join(missed) or 'none'}.\n"
    return HEAD + "".join(map(_row, results)) + "\n" + count


def _row(one: dict[str, Any]) -> str:
    name, met = one["name"], "yes" if one["met"] else "**no**"
    report = one["measured"].get("report")
    links = f"[{name}](../benchmarks/results/{name}.json)"
    if report:
        links += f" ([report](../benchmarks/results/{report}))"
    peer, ratio_is, goal = (str(one[key]).replace("|", "/") for key in ("peer", "ratio_is", "goal"))
    meaning = f"{ratio_is}; {one['better']} is better"
    return f"| {links} | {peer} | {_number(one['ratio'])} | {meaning} | {goal} | {met} |\n"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    main()
