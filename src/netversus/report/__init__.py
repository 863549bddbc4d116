"""Findings -> HTML, Markdown, JSON, CSV. Loads no torch."""

from __future__ import annotations

from netversus.report.build import build_view
from netversus.report.view import ReportView, Section
from netversus.report.writer import files, rendered, write

__all__ = ["ReportView", "Section", "build_view", "files", "rendered", "write"]
