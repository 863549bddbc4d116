"""Cells -> outcomes. `inprocess` loads torch; passes and listeners do not."""
