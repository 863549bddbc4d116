"""Charts, diagrams and interval plots as inline SVG: no script, no style attribute, never colour alone.

Every picture has a title and a description for those who cannot see it; colours come from the page's CSS
classes (`c0`, `c1`, ...), so that light, dark and print agree; each series has its own marker shape and dash too.
"""

from __future__ import annotations

from netversus.report.svg.chart import KINDS, draw_chart, drawn_part
from netversus.report.svg.diagram import draw_diagram
from netversus.report.svg.heatmap import draw_heatmap
from netversus.report.svg.interval import draw_interval
from netversus.report.svg.marker import Identity, draw_hatches, draw_marker

__all__ = [
    "KINDS",
    "Identity",
    "draw_chart",
    "draw_diagram",
    "draw_hatches",
    "draw_heatmap",
    "draw_interval",
    "draw_marker",
    "drawn_part",
]
