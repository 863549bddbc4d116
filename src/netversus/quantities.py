"""How a number is said: with its unit, in a precision that a reader can use, in the language in force. Used by words
and report alike.

Units as studies declare them: "%" (stored as a fraction), "s", "images/s", "parameters", "MACs", "bytes", "px",
"layers", "nats", and "" for a plain number. A catalogue says a unit, or what is counted, by the template
"{number} images"; what it lacks (SI's units are the same everywhere) stays as it is.
"""

from __future__ import annotations

from math import isfinite, isinf

from netversus.messages import language, say
from netversus.records import Effect, Scale

_DECIMAL = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BINARY = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
_SCALED = ("s", "bytes", "parameters", "MACs")  # units that are shortened: ms, MiB, M, G
_SECONDS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))
MINUS = "−"


def amount(value: float | None, unit: str) -> str:
    """A level: 0.832 in "%" is "83.2 %", 25557032 in "parameters" is "25.6 M", 0.5 in "nats" is "0.500 nats"."""
    if value is None or not isfinite(value):
        return "–"
    return _joined(*_amount(value, unit))


def difference(value: float, unit: str) -> str:
    """A signed difference: 0.012 in "%" is "+1.2 points"."""
    return _joined(*_difference(value, unit))


def times(value: float) -> str:
    """A ratio: "1.47×"."""
    return say("{number}×", number=_times(value))


def percent(share: float, digits: int = 0) -> str:
    """A fraction in percent: 0.832 is "83 %"."""
    return _joined(_signed(f"{100 * share:.{digits}f}"), "%")


def effect_text(effect: Effect, scale: Scale, unit: str) -> str:
    """An estimate in its own terms: a ratio for RATIO, else a signed difference."""
    return times(effect.estimate) if scale is Scale.RATIO else difference(effect.estimate, unit)


def interval_text(effect: Effect, scale: Scale, unit: str) -> str:
    """The ends of an interval, in brackets."""
    if scale is Scale.RATIO:
        return say("[{low}×, {high}×]", low=_times(effect.low), high=_times(effect.high))
    low, high = _difference(effect.low, unit), _difference(effect.high, unit)
    if low[1] and low[1] == high[1]:
        return say("[{low}, {high} {unit}]", low=low[0], high=high[0], unit=unit_text(low[1]))
    return f"[{_joined(*low)}, {_joined(*high)}]"


def margin_text(margin: float, scale: Scale, unit: str) -> str:
    """A practical margin: "1.0 points", "5 %" for a ratio."""
    if scale is Scale.RATIO:
        return _joined(f"{100 * margin:g}", "%")
    if unit == "%":
        return _joined(f"{100 * margin:g}", "point" if margin == 0.01 and language() == "en" else "points")
    return amount(margin, unit) if unit in _SCALED else _joined(f"{margin:g}", unit)


def p_text(p: float) -> str:
    """A p value: never "0.000"."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def rough_count(count: int) -> int:
    """Two leading digits, rounded up: an estimate of a count must not look exact."""
    factor: int = 10 ** max(0, len(str(count)) - 2)
    return -(-count // factor) * factor


def duration(seconds: float) -> str:
    """A length of time for people: "41 s", "6 min", "1 h 20 min"."""
    if seconds < 90:
        return say("{n} s", n=f"{seconds:.0f}") if seconds >= 1 else say("under 1 s")
    minutes = round(seconds / 60)
    if minutes < 90:
        return say("{n} min", n=minutes)
    hours, rest = divmod(minutes, 60)
    return say("{hours} h {minutes} min", hours=hours, minutes=rest) if rest else say("{n} h", n=hours)


def counted(count: int, name: str) -> str:
    """A count of units: "1 image", "5,000 images", "3 classes"."""
    return _joined(f"{count:,}", _counted_as(count, name))


def unit_text(unit: str) -> str:
    """A unit alone, as it stands behind a number: "images/s", "points"."""
    return _joined("", unit).strip()


def plural(count: int, name: str) -> str:
    """The name of a unit, in the number that fits, as it stands behind its count."""
    return unit_text(_counted_as(count, name))


def _counted_as(count: int, name: str) -> str:
    """The English word behind a count; other languages have one template for any count, under the plural."""
    if count == 1 and language() == "en":
        return name
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"


def _joined(number: str, unit: str) -> str:
    """A number with its unit; one with braces is no key of a catalogue."""
    if not unit or {"{", "}"} & set(unit):
        return f"{number} {unit}".rstrip()
    return say(f"{{number}} {unit}", number=number)


def _amount(value: float, unit: str) -> tuple[str, str]:
    """The number and the unit that it is said in."""
    if unit == "%":
        return _signed(f"{100 * value:.1f}"), "%"
    if unit == "s":
        return _scaled(value, _SECONDS, "s")
    if unit == "bytes":
        return _scaled(value, _BINARY, "B")
    if unit in ("parameters", "MACs"):
        return _scaled(value, _DECIMAL, "")
    return _signed(_plain(value)), unit


def _difference(value: float, unit: str) -> tuple[str, str]:
    sign = "+" if value > 0 else ""
    if isinf(value):
        return f"{sign or MINUS}∞", ""
    if not isfinite(value):
        return "–", ""
    if unit == "%":
        points = f"{100 * value:.1f}" if abs(value) >= 0.001 or value == 0 else f"{100 * value:.2f}"
        return f"{sign}{_signed(points)}", "points"
    number, name = _amount(value, unit)
    return f"{sign}{number}", name


def _times(value: float) -> str:
    return "∞" if isinf(value) else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _scaled(value: float, steps: tuple[tuple[float, str], ...], base: str) -> tuple[str, str]:
    size = abs(value)
    factor, name = next(((f, n) for f, n in steps if size >= f), (1.0, base) if base != "s" else steps[-1])
    return _signed(_three_digits(value / factor)), name


def _three_digits(value: float) -> str:
    size = abs(value)
    return f"{value:.0f}" if size >= 100 or value == 0 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _plain(value: float) -> str:
    """Three digits, also where the last are nought, so that two values side by side are equally exact."""
    return f"{value:,.0f}" if abs(value) >= 999.5 or value == int(value) else f"{value:#.3g}".rstrip(".")


def _signed(text: str) -> str:
    """A true minus sign, so that numbers align and are read as numbers."""
    return text.replace("-", MINUS, 1) if text.startswith("-") else text
