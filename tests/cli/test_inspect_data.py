"""`netversus inspect-data`: the table, the files of suspects, the exit codes."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_images import smooth


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Twelve cats and twelve dogs that differ at a glance; one cat twice, one dog among the cats, an odd name."""
    for number in range(24):
        kind = "cat" if number < 12 else "dog"
        pixels = np.asarray(smooth(number, (40, 40))) // 4 + (150 if kind == "cat" else 0)
        path = tmp_path / "pets" / kind / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint8)).save(path)
    cats = tmp_path / "pets" / "cat"
    (cats / "=cmd|\n.png").write_bytes((cats / "03.png").read_bytes())
    (cats / "dog.png").write_bytes((tmp_path / "pets" / "dog" / "20.png").read_bytes())
    return tmp_path / "pets"


def test_what_is_planted_is_named_and_the_gate_fails(netversus, pets: Path, tmp_path: Path):
    ended = netversus("inspect-data", f"folder:{pets}", "--out", "suspects.json", "--gate", "0")
    assert ended.code == 3, ended.err
    assert "images are suspected" in ended.out
    assert "not a proof" in ended.out
    told = json.loads((tmp_path / "suspects.json").read_text())
    assert told["images"] == 26
    found = {(each["check"], Path(each["image"]).name) for each in told["suspects"]}
    assert any(check == "duplicates under two labels" for check, _ in found)
    assert any(check.startswith("equal images") for check, _ in found)
    assert netversus("inspect-data", f"folder:{pets}", "--gate", "1").code == 0
    assert netversus("inspect-data", f"folder:{pets}").code == 0


def test_a_table_for_spreadsheets_holds_no_formula_and_a_row_a_line(netversus, pets: Path, tmp_path: Path):
    assert netversus("inspect-data", f"folder:{pets}", "--out", "suspects.csv").code == 0
    text = (tmp_path / "suspects.csv").read_text()
    rows = list(csv.DictReader(text.splitlines()))
    assert len(rows) == len(text.splitlines()) - 1
    assert all(not value.startswith(("=", "+", "-", "@")) for row in rows for value in row.values())


def test_with_a_contender_its_features_judge(netversus, pets: Path):
    ended = netversus("inspect-data", f"folder:{pets}", "--contender", "py:tiny_nets:narrow@scratch", "--device", "cpu")
    assert ended.code == 0, ended.err
    assert "a contender's features" in ended.out
    assert "spectral outliers" in ended.out


def test_labels_that_nothing_is_known_of_are_not_judged(netversus):
    ended = netversus("inspect-data", "scenes?size=16&train=80&test=20")
    assert ended.code == 0
    assert "labels were not judged" in ended.out
    assert re.search(r"wrong labels\s*│ not judged", ended.out)
    assert re.search(r"spectral outliers\s*│ not judged", ended.out)


def noise(folder: Path) -> Path:
    """Two classes of nothing but noise, one file that is no image."""
    for number in range(40):
        pixels = np.random.default_rng(number).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        path = folder / "noise" / f"class{number % 2}" / f"{number:02d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    (folder / "noise" / "class0" / "torn.png").write_bytes(b"\x89PNG torn")
    return folder / "noise"


def test_a_classifier_at_chance_judges_nobody(netversus, tmp_path: Path):
    ended = netversus("inspect-data", f"folder:{noise(tmp_path)}")
    assert "labels were not judged" in ended.out
    assert "0 of 40 images are suspected" in ended.out


def test_what_could_not_be_read_when_the_data_were_opened_is_named_too(netversus, tmp_path: Path):
    folder = noise(tmp_path)
    ended = netversus("inspect-data", f"folder:{folder}", "--out", "suspects.json")
    assert "could not be read: class0/torn.png" in ended.out
    assert list(json.loads((tmp_path / "suspects.json").read_text())["left_out"]) == ["class0/torn.png"]


def test_a_split_that_there_is_not_is_refused_in_a_line(netversus, tmp_path: Path):
    ended = netversus("inspect-data", "digits?size=8", "--split", "validation")
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "has no validation split" in ended.err


def test_another_suffix_is_refused_in_a_line(netversus, pets: Path):
    ended = netversus("inspect-data", f"folder:{pets}", "--out", "suspects.xls")
    assert ended.code == 2
    assert ".json or .csv" in ended.err
    assert ended.err.count("\n") == 1


def test_it_loads_no_torch_without_a_contender():
    script = (
        "import sys\n"
        "from netversus.cli.__main__ import main\n"
        "main(['inspect-data', 'digits?size=8'])\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False, capture_output=True).returncode == 0
