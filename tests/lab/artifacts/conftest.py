"""The two corpora, written once."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from netversus.lab.artifacts.findings import Verdict

HERE = Path(__file__).parent


def builder(name: str) -> ModuleType:
    """A builder module beside the tests (which are no package)."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@dataclass(frozen=True)
class HostileFiles:
    paths: dict[str, Path]  # by the name of the file
    proofs: dict[str, str]
    canaries: Path


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> HostileFiles:
    corpus = builder("hostile_corpus")
    base = tmp_path_factory.mktemp("hostile")
    canaries = base / "canaries"
    canaries.mkdir()
    files = corpus.corpus(canaries)
    corpus.write(files, base / "files")
    paths = {each.name: base / "files" / each.name.replace(".", "_") / each.name for each in files}
    return HostileFiles(paths, {each.name: each.proof for each in files}, canaries)


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Verdict]:
    with warnings.catch_warnings(action="ignore"):
        expected = builder("honest_corpus").write(tmp_path_factory.mktemp("honest"))
    return {Path(path): verdict for path, verdict in expected.items()}
