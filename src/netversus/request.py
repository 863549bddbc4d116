"""What the user asks for: validated once, stored with the run, the same from Python, the command line and TOML."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from netversus.errors import OptionError

_DURATION = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")
LARGEST_CONFIGURATION, MOST_DOTS = 1 << 18, 1000  # bytes; dots in a line
DEFAULT_CONTENDERS = ("resnet50", "resnet101")


def parse_duration(text: str) -> float:
    """Seconds of "90", "90s", "5m", "1h30m".

    Raises:
        ValueError: it is no length of time.
    """
    match = _DURATION.fullmatch(text.replace(" ", ""))
    if not match or not any(match.groups()):
        raise ValueError("expected a length of time such as 90s, 5m or 1h30m")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


class Request(BaseModel):
    """One comparison. `options` maps a study's name to its settings; `margins` maps "study.metric" to a margin."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    contenders: Annotated[
        tuple[str, ...],
        Field(min_length=2, max_length=20, description="Contender specs, 2 to 20 of them."),
    ] = DEFAULT_CONTENDERS
    data: Annotated[str, Field(description="Data spec.")] = "digits"
    studies: Annotated[tuple[str, ...], Field(description="Studies to run; empty means the default ones.")] = ()
    seed: Annotated[int, Field(ge=0, description="The seed from which all others derive.")] = 0
    repeats: Annotated[
        int,
        Field(ge=1, le=100, description="Training seeds; fewer than 3 allow no claim about a recipe."),
    ] = 1
    budget: Annotated[
        Annotated[float, Field(gt=0)] | None,
        BeforeValidator(lambda value: parse_duration(value) if isinstance(value, str) else value),
        Field(description='Seconds that all of it may take, or "90s", "5m", "1h30m"; none: no limit.'),
    ] = None
    level: Annotated[
        float, Field(gt=0.5, lt=1, description="Confidence level of the intervals and of the error rate.")
    ] = 0.95
    device: Annotated[str, Field(description='"auto", "cpu", "cuda" or "cuda:N".')] = "auto"
    baseline: Annotated[
        str, Field(description="Contender that the others are compared with; none: every pair is compared.")
    ] = ""
    primary: Annotated[
        str, Field(description='"study.metric" on which the verdict rests; none: as the studies declare it.')
    ] = ""
    stop_when_decided: Annotated[
        bool, Field(description="Stop reading images as soon as the primary verdict is certain.")
    ] = False
    stop_about: Annotated[
        Literal["population", "benchmark"],
        Field(description="What a verdict reached early speaks of: images like these, or exactly this test split."),
    ] = "population"
    stop_prior: Annotated[
        float, Field(ge=1, le=10_000, description="Of the sequential test: 50 for gaps of a point, 10 over three.")
    ] = 50.0
    engine: Annotated[
        str,
        Field(description='How contenders are run that name no engine: "auto", or one of the engines; none: eager.'),
    ] = ""
    strict: Annotated[bool, Field(description="Stop at the first bad file instead of naming it.")] = False
    options: dict[str, dict[str, Any]] = Field(default_factory=dict)
    margins: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)


def make_request(values: dict[str, Any]) -> Request:
    """A validated request.

    Raises:
        OptionError: one line naming the first setting that does not fit.
    """
    try:
        return Request.model_validate(values)
    except ValidationError as error:
        raise OptionError(describe(error)) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The settings of a TOML file, unvalidated: flags given beside the file win over it.

    Raises:
        OptionError: the file cannot be read or is not TOML.
    """
    try:
        if path.exists() and not path.is_file():
            raise OptionError(f"cannot read the configuration {path}: not a regular file")
        if path.exists() and path.stat().st_size > LARGEST_CONFIGURATION:
            raise OptionError(f"the configuration {path} is larger than {LARGEST_CONFIGURATION >> 10} KiB")
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise OptionError(f"cannot read the configuration {path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise OptionError(f"{path} is not valid TOML: {error}") from None
    # A key of n parts takes the parser time that grows with n squared: 50,000 of them took 80 seconds.
    if any(line.count(".") > MOST_DOTS for line in content.splitlines()):
        raise OptionError(f"{path} is not valid TOML: a line of more than {MOST_DOTS} dots")
    try:
        return tomllib.loads(content)
    except RecursionError:
        raise OptionError(f"{path} is not valid TOML: nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{path} is not valid TOML: {error}") from None


def describe(error: ValidationError) -> str:
    """The first problem of a validation, as one line."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "request"
    came = "" if first["type"] == "missing" else f", got {first['input']!r}"
    if first["type"] == "extra_forbidden":
        return f"there is no setting {where!r}"
    said = first["msg"].removeprefix("Value error, ")
    return f"{where}: {said[0].lower()}{said[1:]}{came}"
