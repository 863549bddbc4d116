"""Write what `test_golden.py` expects again, after a change of the report that is meant.

    PYTHONPATH=tests python -m golden.regenerate               from the stored run, without torch; then read the diff
    PYTHONPATH=tests python -m golden.regenerate --measure     measure the run itself again first

Measure again only when the format of the run folder changes: an old folder that can still be read is the best test.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from .expected import FOLDER, RUN, reports

ARGUMENTS = (
    *("compare", "py:tiny_nets:narrow@scratch", "py:tiny_nets:wide@scratch"),
    *("--study", "training", "--study", "accuracy", "--margin", "accuracy.top5=0.05"),
    *("--training.samples", "12000", "--training.rounds", "6", "--accuracy.images", "300"),
)
DERIVED = ("findings.json", "report.html", "lock")


def measure() -> None:
    """The run, with nothing in it that follows from the rest."""
    from netversus.cli.__main__ import main

    shutil.rmtree(RUN, ignore_errors=True)
    arguments = (*ARGUMENTS, "--out", str(RUN.resolve().relative_to(Path.cwd())))
    sys.argv = ["netversus", *arguments]  # the session records it
    assert main(arguments) == 0
    for name in DERIVED:
        (RUN / name).unlink(missing_ok=True)


if __name__ == "__main__":
    if "--measure" in sys.argv[1:]:
        measure()
    for name, text in reports(RUN).items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote {FOLDER / name}\n")
