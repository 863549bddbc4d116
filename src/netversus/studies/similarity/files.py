"""The names of what the study keeps beside its numbers. Loads no torch."""

from __future__ import annotations

BLOCKS = "blocks.json"
"""Of each contender: the paths of the residual blocks that are skipped, in the order of the network, or the reason why
none is."""
