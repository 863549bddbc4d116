"""A finding as a small picture: its interval against the practical margin, A's side left and B's side right."""

from __future__ import annotations

from math import isfinite, log, log1p
from xml.etree.ElementTree import Element

from markupsafe import Markup

from netversus.messages import in_a_row, say
from netversus.quantities import effect_text, interval_text, margin_text
from netversus.records import Direction, Finding, Scale, Verdict
from netversus.report.svg.element import add, markup, picture
from netversus.report.svg.marker import Identity, mark

WIDTH = 176.0
HEIGHT = 30.0
_EDGE = 8.0


def draw_interval(finding: Finding, looks: tuple[Identity, Identity]) -> Markup:
    """The interval plot of a finding; empty where it has no interval. `looks` are A's and B's.

    Every plot has its own scale, symmetrical about "no difference"; a ratio is drawn on a logarithmic one. Where
    lower is better the plot is turned round, so that left always speaks for A and right for B.
    """
    spans = _spans(finding)
    if spans is None:
        return Markup("")
    low, estimate, high, margin = spans
    ends = [abs(end) for end in (low, high) if isfinite(end)]
    reach = 1.12 * max([abs(estimate), 1.3 * margin, *ends]) or 1.0
    root = picture(WIDTH, HEIGHT, say("Interval"), _description(finding), class_="interval")
    _draw_ground(root, margin, reach)
    _draw_span(root, _place(low, reach), _place(high, reach))
    best = {Verdict.A_BETTER: looks[0], Verdict.B_BETTER: looks[1]}.get(finding.verdict)
    x = _place(estimate, reach)
    if best:
        mark(root, best, x, HEIGHT / 2, 4.6)
    else:
        add(root, "circle", cx=x, cy=HEIGHT / 2, r=4, class_="open")
    return markup(root)


def _spans(finding: Finding) -> tuple[float, float, float, float] | None:
    """(low, estimate, high, margin) with differences that favour B above zero; None without a finite estimate."""
    effect, margin = finding.effect, finding.margin
    if effect is None or not isfinite(effect.estimate):
        return None
    ends = (effect.low, effect.estimate, effect.high)
    if finding.scale is Scale.RATIO:
        if effect.estimate <= 0:
            return None
        ends = (_log(effect.low), log(effect.estimate), _log(effect.high))
        margin = log1p(margin)
    if finding.direction is Direction.LOWER:
        ends = (-ends[2], -ends[1], -ends[0])
    return (*ends, margin)


def _log(value: float) -> float:
    return log(value) if value > 0 else float("-inf")


def _place(value: float, reach: float) -> float:
    """Where a value lies; an end without limit lies on the edge."""
    share = max(-1.0, min(1.0, value / reach))
    return WIDTH / 2 + share * (WIDTH / 2 - _EDGE)


def _draw_ground(root: Element, margin: float, reach: float) -> None:
    if margin > 0:
        left, right = _place(-margin, reach), _place(margin, reach)
        add(root, "rect", x=left, y=3, width=right - left, height=HEIGHT - 6, class_="margin")
        add(root, "path", d=f"M{left:.2f} 3v{HEIGHT - 6}M{right:.2f} 3v{HEIGHT - 6}", class_="edge")
    add(root, "line", x1=WIDTH / 2, x2=WIDTH / 2, y1=0, y2=HEIGHT, class_="zero")


def _draw_span(root: Element, left: float, right: float) -> None:
    y = HEIGHT / 2
    add(root, "path", d=f"M{left:.2f} {y}H{right:.2f}M{left:.2f} {y - 4}v8M{right:.2f} {y - 4}v8", class_="span")


def _description(finding: Finding) -> str:
    assert finding.effect is not None
    said = effect_text(finding.effect, finding.scale, finding.unit)
    interval = interval_text(finding.effect, finding.scale, finding.unit)
    words = say(
        "{b} against {a}: {said}, {level} % interval {interval}",
        b=finding.b,
        a=finding.a,
        said=said,
        level=f"{100 * finding.effect.level:.4g}",
        interval=interval,
    )
    if not finding.margin:
        return words
    return in_a_row([words, say("margin ± {margin}", margin=margin_text(finding.margin, finding.scale, finding.unit))])
