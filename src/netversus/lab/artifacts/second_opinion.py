"""picklescan's opinion of a file, in its strict mode: whatever its own list does not know counts.

It can only add to the evidence: what it finds clean stays what it was, since it reads fewer formats.
"""

from __future__ import annotations

import logging
from importlib.metadata import version

from netversus.errors import MissingExtraError
from netversus.lab.artifacts.findings import Finding, Verdict, printable
from netversus.lab.artifacts.scan import Scan
from netversus.messages import noted


def ask_picklescan(found: Scan) -> Finding:
    """What picklescan says.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from picklescan.scanner import SafetyLevel, scan_file_path
    except ImportError:
        raise MissingExtraError("picklescan", "scan", "a second opinion") from None
    name = f"picklescan {version('picklescan')} (strict)"
    logger = logging.getLogger("picklescan")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # what it finds is said in a line of ours
    try:
        result = scan_file_path(str(found.path), strict=True)
    except Exception as error:  # noqa: BLE001 (a parser on hostile input; whatever it raises, it has no opinion)
        return Finding(Verdict.CLEAN, noted("{name} has no opinion: {error}", name=name, error=type(error).__name__))
    finally:
        logger.setLevel(level)
    if result.issues_count or result.infected_files:
        bad = sorted({f"{g.module}.{g.name}" for g in result.globals if g.safety is not SafetyLevel.Innocuous})
        return Finding(
            Verdict.SUSPICIOUS,
            noted("{name} finds {what}", name=name, what=printable(", ".join(bad[:4])) or noted("something")),
        )
    if result.scan_err:
        return Finding(Verdict.CLEAN, noted("{name} could not read it", name=name))
    return Finding(Verdict.CLEAN, noted("{name} finds nothing", name=name))
