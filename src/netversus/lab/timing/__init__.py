"""Timing a contender fairly: a stopwatch, turns that cancel drift, memory, energy, and where the time goes."""
