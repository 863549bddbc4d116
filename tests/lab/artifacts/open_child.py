"""Run in a process of its own: opens hostile files as a careless reader would, each in a fork, to show what they do.

Standard input: [[path, how], ...]. The payloads make a folder, or a file, below the corpus's own folder of canaries.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import resource
import signal
import sys
from pathlib import Path

SECONDS = 20


def careless(path: str, how: str) -> None:
    if how == "numpy":
        import numpy as np

        np.load(path, allow_pickle=True)
    elif how == "joblib":
        import joblib

        joblib.load(path)
    elif how == "torch":
        import torch

        torch.load(path, weights_only=False)
    elif how == "memory":  # a stream that cannot be peeked into
        pickle.load(io.BytesIO(Path(path).read_bytes()))
    else:
        with Path(path).open("rb") as file:
            pickle.load(file)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
    jobs = json.load(sys.stdin)
    if any(how == "joblib" for _, how in jobs):
        import joblib  # noqa: F401 (once, before the forks)
    if any(how == "torch" for _, how in jobs):
        import torch  # noqa: F401
    for path, how in jobs:
        child = os.fork()
        if child == 0:
            signal.alarm(SECONDS)
            quiet = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(quiet, descriptor)
            with contextlib.suppress(BaseException):
                careless(path, how)
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
