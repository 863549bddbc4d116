"""From numbers to places on a picture, with ticks at numbers that people use."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, isinf, isnan, log10

from netversus.quantities import MINUS, amount


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale from [low, high] to the pixels [start, end]; `ticks` are round numbers within it."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def __call__(self, value: float) -> float:
        """The place of a value, kept within the picture."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def labels(self) -> tuple[str, ...]:
        """The ticks' texts, all with the same number of decimals."""
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else abs(self.ticks[0]) or 1.0
        return tuple(tick_text(tick, step) for tick in self.ticks)


def fit_scale(values: Iterable[float], start: float, end: float, *, zero: bool = False, about: int = 5) -> Scale:
    """A scale that holds all finite values, its ends on ticks; with `zero` it begins (or ends) at 0."""
    finite = [value for value in values if isfinite(value)] or [0.0]
    low, high = min(finite), max(finite)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    ticks = nice_ticks(low, high, about)
    return Scale(ticks[0], ticks[-1], start, end, ticks)


def nice_ticks(low: float, high: float, about: int = 5) -> tuple[float, ...]:
    """Round numbers at equal steps of 1, 2 or 5 times a power of ten, from at most `low` to at least `high`.

    After Heckbert, "Nice numbers for graph labels", Graphics Gems (1990).
    """
    if not high - low > 1e-9 * max(abs(low), abs(high)):
        low, high = low - (abs(low) / 2 or 0.5), high + (abs(high) / 2 or 0.5)
    step = _nice((high - low) / max(1, about - 1))
    first, last = floor(low / step + 1e-9), ceil(high / step - 1e-9)
    return tuple(index * step for index in range(first, last + 1))


def _nice(step: float) -> float:
    power = 10.0 ** floor(log10(step))
    share = step / power
    return power * (1 if share < 1.5 else 2 if share < 3 else 5 if share < 7 else 10)


def tick_text(value: float, step: float) -> str:
    """A tick's number: as many decimals as the step needs, large ones shortened."""
    if abs(value) < 1e-9 * step:
        return "0"
    if step >= 1e5:
        return amount(value, "parameters")
    if step < 1e-5:
        return f"{value:.0e}".replace("-", MINUS)
    decimals = max(0, -floor(log10(step) + 1e-9))
    return f"{value:,.{decimals}f}".replace("-", MINUS)


def number_text(value: float | None) -> str:
    """A value in a data table or a tip: four digits, thousands apart."""
    if value is None or isnan(value):
        return "–"
    if isinf(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    text = f"{value:,.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.4g}"
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def number_texts(values: Sequence[float]) -> tuple[str, ...]:
    """Values that stand under or beside each other, with equally many decimals where that hides nothing."""
    sizes = [abs(value) for value in values if isfinite(value) and value]
    decimals = 3 - floor(log10(max(sizes))) if sizes else 0
    if not 0 < decimals < 8 or any(abs(round(size, decimals) - size) > 0.005 * size for size in sizes):
        return tuple(number_text(value) for value in values)
    finite = {value: f"{value:.{decimals}f}" for value in values if isfinite(value)}
    spare = min(len(text) - len(text.rstrip("0")) for text in finite.values())
    kept = {value: (text[:-spare] if spare else text).rstrip(".") for value, text in finite.items()}
    return tuple(kept[v].replace("-", MINUS, 1) if v in kept else number_text(v) for v in values)
