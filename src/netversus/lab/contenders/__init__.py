"""Contenders: what is compared. `spec` reads their names, `resolve` finds them, `availability` has their weights
ready, and `load` (alone in loading torch) builds them.
"""

from __future__ import annotations

from netversus.lab.contenders.catalogue import list_contenders

__all__ = ["list_contenders"]
