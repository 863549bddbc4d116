"""The scan of model files beside picklescan, modelscan and fickling: what each says of the same two corpora, and the
CPU time of a checkpoint of 200 MB.

The peers run in an environment of their own. It is made once by

    uv venv PEERS && uv pip install --python PEERS/bin/python modelscan fickling picklescan numpy h5py typing_extensions

and named by NETVERSUS_SCAN_PEERS=PEERS/bin/python; without it the script makes one in a temporary folder with `uv`.
A peer that cannot be asked is told as such, and not counted.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from types import ModuleType

from record import record

CORPORA = Path(__file__).parents[1] / "tests" / "lab" / "artifacts"
PEERS = ("picklescan", "picklescan strict", "modelscan", "fickling")
PACKAGES = ("modelscan", "fickling", "picklescan", "numpy", "h5py", "typing_extensions")
MEGABYTES = 200
GOAL = 1.0  # second of CPU
ROUNDS = 5

# Each child prints {"file": "clean" | "flagged" | "not scanned"} or the CPU seconds of one scan.
ASK = r"""
import json, logging, sys, time, warnings
warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
who, what = sys.argv[1], json.load(sys.stdin)

def picklescan(path, strict=False):
    from picklescan.scanner import scan_file_path
    found = scan_file_path(path, strict=strict)
    if found.issues_count or found.infected_files:
        return "flagged"
    return "not scanned" if found.scan_err or not found.scanned_files else "clean"

def modelscan(path):
    from pathlib import Path
    from modelscan.modelscan import ModelScan
    scan = ModelScan()
    found = scan.scan(Path(path))
    if found["summary"]["total_issues"]:
        return "flagged"
    whole = found["summary"]["scanned"]["total_scanned"] and not found["errors"]
    return "clean" if whole else "not scanned"

def fickling(path):
    import zipfile
    from fickling.loader import scan_file, scan_zip_archive
    zipped = zipfile.is_zipfile(path)
    found = list(scan_zip_archive(path).values()) if zipped else [scan_file(path)]
    if not all(each.is_safe for each in found):
        return "flagged"
    return "not scanned" if not found or any(each.errors for each in found) else "clean"

def ours(path):
    from pathlib import Path
    from netversus.lab.artifacts.scan import scan_file
    verdict = str(scan_file(Path(path)).verdict)
    return {"clean": "clean", "not scanned": "not scanned", "damaged": "not scanned"}.get(verdict, "flagged")

ask = {"picklescan": picklescan, "picklescan strict": lambda p: picklescan(p, True), "modelscan": modelscan,
       "fickling": fickling, "netversus": ours}[who]
if isinstance(what, list):
    told = {}
    for path in what:
        try:
            told[path] = ask(path)
        except BaseException as error:
            told[path] = "not scanned"
    print("\nANSWER " + json.dumps(told))
else:
    begin = time.process_time(), time.perf_counter()
    verdict = ask(what["path"])
    print("\nANSWER " + json.dumps({"verdict": verdict, "cpu": time.process_time() - begin[0],
                                  "wall": time.perf_counter() - begin[1]}))
"""


def builder(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CORPORA / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def asked(python: str, who: str, what: object) -> dict | None:
    """What a scanner says; None where it cannot be asked."""
    command = [python, "-c", ASK, who]
    done = subprocess.run(command, input=json.dumps(what), capture_output=True, text=True, check=False, timeout=900)
    answers = [line for line in done.stdout.splitlines() if line.startswith("ANSWER ")]
    return json.loads(answers[-1].removeprefix("ANSWER ")) if answers else None


def peers(folder: Path) -> str:
    """The Python of the peers' own environment."""
    if named := os.environ.get("NETVERSUS_SCAN_PEERS"):
        return named
    uv = shutil.which("uv") or str(Path(__file__).parents[1] / ".uv" / "bin" / "uv")
    python = str(folder / "peers" / "bin" / "python")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder / "peers")], check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", python, *PACKAGES], check=True)
    return python


def versions(python: str) -> dict[str, str]:
    script = (
        "import importlib.metadata as m, json, sys\n"
        "print(json.dumps({p: m.version(p) for p in ('modelscan', 'fickling', 'picklescan')}))"
    )
    return json.loads(subprocess.run([python, "-c", script], capture_output=True, text=True, check=True).stdout)


def figures(python: str, who: str, hostile: list[str], proven: set[str], honest: list[str]) -> dict[str, object]:
    bad, good = asked(python, who, hostile), asked(python, who, honest)
    if bad is None or good is None:
        return {"asked": False}

    def count(told: dict[str, str], wanted: str) -> int:
        return sum(verdict == wanted for verdict in told.values())

    return {
        "asked": True,
        "hostile": {each: count(bad, each) for each in ("flagged", "not scanned", "clean")},
        "hostile that were seen to run": {
            each: sum(bad[path] == each for path in proven) for each in ("flagged", "not scanned", "clean")
        },
        "honest": {each: count(good, each) for each in ("flagged", "not scanned", "clean")},
    }


def checkpoint(path: Path) -> None:
    """A state dict of about 200 MB, as many tensors as ResNet-101 has."""
    import torch

    chance = torch.Generator().manual_seed(0)
    each = MEGABYTES * 10**6 // 4 // 626
    torch.save({f"layer{i}.weight": torch.randn(each, generator=chance) for i in range(626)}, path)


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder_name:
        folder = Path(folder_name)
        python = peers(folder)
        corpus = builder("hostile_corpus")
        (folder / "canaries").mkdir()
        files = corpus.corpus(folder / "canaries")
        corpus.write(files, folder / "hostile")
        place = {each.name: str(folder / "hostile" / each.name.replace(".", "_") / each.name) for each in files}
        proven = {place[each.name] for each in files if each.proof}
        honest = list(builder("honest_corpus").write(folder / "honest"))
        said = {
            "netversus": figures(sys.executable, "netversus", list(place.values()), proven, honest),
            **{who: figures(python, who, list(place.values()), proven, honest) for who in PEERS},
        }
        touched = len(list((folder / "canaries").iterdir()))
        big = folder / "big.pt"
        checkpoint(big)
        times: dict[str, list[dict]] = {}
        for _ in range(ROUNDS):  # in turns
            for who in ("netversus", "modelscan", "picklescan"):
                found = asked(sys.executable if who == "netversus" else python, who, {"path": str(big)})
                times.setdefault(who, []).append(found or {})
        best = {who: min(each["cpu"] for each in found if each) for who, found in times.items() if any(found)}
        for who, told in said.items():
            print(who, json.dumps(told))
        print(json.dumps(best))
        record(
            name="artifact_scan",
            peer="modelscan",
            ratio=best["netversus"] / best["modelscan"],
            ratio_is="our CPU seconds / the peer's, fastest of each, in turns; ours reads and digests every byte",
            better="lower",
            goal=f"no hostile file called clean, {MEGABYTES} MB within {GOAL:g} s of CPU",
            met=best["netversus"] < GOAL and said["netversus"]["hostile"]["clean"] == 0,
            measured={
                "hostile files": len(place),
                "of them seen to run": len(proven),
                "honest files": len(honest),
                "verdicts": said,
                "canaries touched by scanning": touched,
                "note": "our honest files that are flagged are suspicious, not hostile: pickled modules, TorchScript, "
                "a tensor pickled without torch.save. not scanned: it raised an error, or scanned nothing of the file; "
                "for ours also: damaged",
                "checkpoint bytes": big.stat().st_size,
                "seconds": times,
                "versions": versions(python),
            },
        )


if __name__ == "__main__":
    main()
