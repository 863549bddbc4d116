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

Each row is a script in `benchmarks/` that ran us and the peer in one process or in turns, so that the ratio holds where
times do not. What a ratio is of stands in its file, with all repetitions, the machine and the command. A goal that was
missed stays here. `make benchmarks` measures all of them again. No accelerator was at hand for any of these figures.

| benchmark | peer | ratio | goal | met |
| --- | --- | --- | --- | --- |
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
    peer, goal = (str(one[key]).replace("|", "/") for key in ("peer", "goal"))
    return f"| [{name}](../benchmarks/results/{name}.json) | {peer} | {one['ratio']:.3g} | {goal} | {met} |\n"


if __name__ == "__main__":
    main()
