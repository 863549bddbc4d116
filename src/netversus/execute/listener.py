"""What an execution tells whoever watches it."""

from __future__ import annotations

from typing import Protocol

from netversus.execute.passes import Pass
from netversus.plan import Plan
from netversus.records import Outcome, Progress


class Listener(Protocol):
    """Told of each step. A listener shows; it decides nothing."""

    def opened(self, place: str) -> None:
        """The run folder is there: from now on the run can be resumed."""

    def planned(self, plan: Plan) -> None:
        """The plan is made and stored."""

    def started(self, work: Pass, number: int, of: int) -> None:
        """A pass begins."""

    def progressed(self, work: Pass, progress: Progress) -> None:
        """A pass came further."""

    def ended(self, work: Pass, outcome: Outcome, seconds: float) -> None:
        """One cell of a pass ended."""

    def noted(self, line: str) -> None:
        """Something that the reader should know."""


class Silent:
    """A listener that shows nothing."""

    def opened(self, place: str) -> None:
        """Nothing."""

    def planned(self, plan: Plan) -> None:
        """Nothing."""

    def started(self, work: Pass, number: int, of: int) -> None:
        """Nothing."""

    def progressed(self, work: Pass, progress: Progress) -> None:
        """Nothing."""

    def ended(self, work: Pass, outcome: Outcome, seconds: float) -> None:
        """Nothing."""

    def noted(self, line: str) -> None:
        """Nothing."""
