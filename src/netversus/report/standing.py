"""How several contenders stand among each other on one question, from the verdicts on their pairs."""

from __future__ import annotations

from collections.abc import Sequence

from netversus.records import Finding, Verdict
from netversus.wording import winner


class Standing:
    """Who beats whom, who is practically the same as whom."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.names = tuple(dict.fromkeys(name for f in findings for name in (f.a, f.b)))
        self.pairs = len(self.names) * (len(self.names) - 1) // 2
        self._beats: dict[str, set[str]] = {name: set() for name in self.names}
        self._ties: dict[str, set[str]] = {name: set() for name in self.names}
        for finding in findings:
            best = winner(finding)
            if best is not None:
                self._beats[best].add(finding.b if best == finding.a else finding.a)
            elif finding.verdict is Verdict.EQUIVALENT:
                self._ties[finding.a].add(finding.b)
                self._ties[finding.b].add(finding.a)

    @property
    def decided(self) -> int:
        """How many pairs have a verdict other than "undecided"."""
        return sum(map(len, self._beats.values())) + sum(map(len, self._ties.values())) // 2

    def beats_all(self) -> str | None:
        """The contender that is better than every other, where there is one."""
        return next((name for name in self.names if len(self._beats[name]) == len(self.names) - 1), None)

    def leaders(self) -> tuple[str, ...]:
        """Contenders that are all practically the same, each better than all the rest; empty where there are none.

        "Practically the same" does not carry over from pair to pair, so each pair of leaders must have been found so.
        """
        for name in self.names:
            group = {name} | self._ties[name]
            rest = set(self.names) - group
            if len(group) > 1 and all(group - {x} <= self._ties[x] and rest <= self._beats[x] for x in group):
                return tuple(n for n in self.names if n in group)
        return ()

    def unbeaten(self) -> tuple[str, ...]:
        """The contenders that no other was found to be better than."""
        beaten = set().union(*self._beats.values())
        return tuple(name for name in self.names if name not in beaten)
