"""What netversus brings: the claims of the article that it began with, and the figures that it cites."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from netversus.claims.figures import read_figures
from netversus.claims.read import read_claims
from netversus.claims.records import Claim, Figure

_DATA = files(__package__) / "data"


@cache
def article() -> tuple[Claim, ...]:
    """The claims of "A Comparative Analysis of Deep Learning with ResNet-50 and ResNet-101", in its order."""
    return read_claims(_DATA / "article.toml")


@cache
def published_figures() -> tuple[Figure, ...]:
    """Every published figure, file by file in the order of their names."""
    paths = sorted((_DATA / "published").iterdir(), key=lambda path: path.name)
    return tuple(figure for path in paths if path.name.endswith(".toml") for figure in read_figures(path))
