"""Parts of speech of the headline: what the better one is called, what equals are called."""

from __future__ import annotations

from netversus.messages import say, template
from netversus.quantities import difference, margin_text, times
from netversus.records import Finding, Scale

_BETTER = {"top1": template("more accurate"), "map": template("the better detector")}


def better_word(finding: Finding) -> str:
    """How the better of two on a primary question is called."""
    if finding.metric in _BETTER:
        return say(_BETTER[finding.metric])
    return say("better on {study} ({metric})", study=finding.study, metric=finding.metric)


def equal_word(finding: Finding) -> str:
    """How those that are practically the same on a primary question are called."""
    margin = margin_text(finding.margin, finding.scale, finding.unit)
    if finding.metric == "top1":
        return say("equally accurate within {margin}", margin=margin)
    asked = {"study": finding.study, "metric": finding.metric}
    return say("practically the same on {study} ({metric}) within {margin}", margin=margin, **asked)


def by_how_much(finding: Finding) -> str:
    """The estimate behind "better than": " by 1.3 points", ", 1.80×", or nothing where there is none."""
    if finding.effect is None:
        return ""
    if finding.scale is Scale.RATIO:
        ratio = finding.effect.estimate
        return say(", {times}", times=times(1 / ratio if 0 < ratio < 1 else ratio))
    return say(" by {difference}", difference=difference(abs(finding.effect.estimate), finding.unit).removeprefix("+"))
