"""Third parties that export and compile talk a lot; what matters of it is said in our own errors."""

from __future__ import annotations

import ctypes
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings, log messages up to warnings, and what Python code prints: torch.export prints the network's
    operations when it fails."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextmanager
def mute() -> Iterator[None]:
    """`quiet`, and without what C++ code prints to the standard output: torch.onnx prints whole graphs when it fails.

    What other threads of this process print meanwhile is lost too.
    """
    _flush()
    try:
        saved = os.dup(1)
    except OSError:  # there is no standard output
        with quiet():
            yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        with quiet():
            yield
    finally:
        _flush()
        os.dup2(saved, 1)
        os.close(saved)
        os.close(nowhere)


def _flush() -> None:
    """Send what is buffered, in Python and in C, where it belongs."""
    with suppress(OSError, ValueError, AttributeError):  # a closed or replaced stream
        sys.stdout.flush()
    with suppress(OSError, AttributeError, TypeError):  # no C library by this way, on Windows
        ctypes.CDLL(None).fflush(None)
