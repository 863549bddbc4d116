"""Run in a process of its own: scans the files named on standard input and tells their verdicts as JSON.

The process is limited in memory and time. From the first scan on, an audit hook ends it at once if anything is run,
written, connected to, or imported by name beyond what the scan itself needs.
"""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import sys
from pathlib import Path

from netversus.lab.artifacts import archives, second_opinion, state  # noqa: F401 (all that the scan imports late)
from netversus.lab.artifacts.scan import scan_file

RUNS = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename",
        "socket.connect", "marshal.loads", "pickle.find_class", "ctypes.dlopen", "os.symlink", "shutil.copyfile"}  # fmt: skip


def watch(event: str, arguments: tuple) -> None:
    writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    if event in RUNS or writes or (event == "import" and arguments[0].partition(".")[0] in FORBIDDEN):
        os.write(2, f"the scan ran {event} {arguments!r}\n".encode())
        os._exit(99)


FORBIDDEN = {
    "torch",
    "mailcap",
    "pydoc",
    "cProfile",
    "lib2to3",
    "idlelib",
    "sqlite3",
    "imaplib",
    "smtplib",
    "pip",
    "pdb",
}


def main() -> None:
    assert importlib.util.find_spec("torch") is not None
    resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
    paths = json.load(sys.stdin)
    for codec in ("ascii", "latin-1", "cp437", "utf-8", "raw-unicode-escape"):  # Python imports each at its first use
        "".encode(codec)
    loaded = set(sys.modules)
    sys.addaudithook(watch)
    verdicts = {path: str(scan_file(Path(path)).verdict) for path in paths}
    told = {"verdicts": verdicts, "loaded": sorted(set(sys.modules) - loaded), "torch": "torch" in sys.modules}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
