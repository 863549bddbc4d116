"""Cards and plans that many tests start from."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netversus import studies
from netversus.records import ContenderCard, DataCard, Preprocessing, Rates

# Before torch is loaded: on networks as small as the tests' a second thread only waits for the first, and beside another
# process it multiplies the time (measured on two cores: one study's contract takes 5 times the CPU seconds with it).
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache."""
    monkeypatch.setenv("NETVERSUS_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def make_card() -> Callable[..., ContenderCard]:
    def make(name: str = "resnet18", **changes: object) -> ContenderCard:
        values: dict[str, object] = {
            "name": name,
            "spec": name,
            "source": "torchvision",
            "architecture": name.partition("@")[0],
            "weights": "scratch",
            "recipe": "scratch",
            "head": "data",
            "digest": f"digest of {name}",
            "preprocessing": Preprocessing(crop=32, resize=None),
        }
        return ContenderCard(**(values | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture
def data_card() -> DataCard:
    return DataCard(
        name="digits",
        spec="digits",
        digest="digest of the data",
        classes=tuple("0123456789"),
        splits={"train": 1000, "test": 400},
        image_size=32,
    )


@pytest.fixture
def rates() -> Callable[..., dict[str, Rates]]:
    def make(*names: str, infer: float = 0.01, train: float = 0.04) -> dict[str, Rates]:
        return {name: Rates(infer, train, 1_000_000, measured=True) for name in names}

    return make


@pytest.fixture
def repository() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture
def add_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Write a study as another package would bring it, and let it be found."""
    folder = tmp_path / "third_party"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    added: list[str] = []

    def add(name: str, **files: str) -> None:
        package = folder / f"third_party_{name}"
        package.mkdir()
        for file, source in files.items():
            (package / f"{file}.py").write_text(source)
        added.append(package.name)
        monkeypatch.setattr(studies, "_installed", lambda: tuple(added))
        studies.find_studies.cache_clear()

    yield add
    monkeypatch.undo()
    studies.find_studies.cache_clear()
    for module in [m for m in sys.modules if m.startswith("third_party_")]:
        del sys.modules[module]
