from __future__ import annotations

import subprocess
import sys

import pytest

from netversus.errors import DataError, SpecError
from netversus.lab.data import list_data, open_data


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "there is no data ''"),
        ("digit", "did you mean digits?"),
        ("scene?size=32", "did you mean scenes?"),
        ("digits?sise=32", "did you mean size?"),
        ("digits?size=3", "greater than or equal to 8, got '3'"),
        ("digits?size=many", "valid integer"),
        ("digits?size", "expected option=value"),
        ("digits?size=32&size=64", "given twice"),
        ("digits:mnist", "nothing after a colon"),
        ("scenes?difficulty=1.5", "less than or equal to 1"),
        ("scenes?difficulty=nan", "difficulty"),
        ("folder", "folder needs a PATH"),
        ("folder:", "folder needs a PATH"),
        ("no\0such", "there is no data"),
        ("x" * 5000, "there is no data"),
    ],
)
def test_a_spec_that_cannot_be_understood_is_refused_in_one_line(spec, said):
    with pytest.raises(SpecError) as error:
        open_data(spec)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("spec", ["./nowhere", "/no/where", "folder:nowhere", "~/no-such-folder-here", "./a\0b"])
def test_a_path_that_does_not_exist_is_a_matter_of_data(spec):
    with pytest.raises(DataError, match="there is no folder"):
        open_data(spec)


def test_a_file_is_not_a_folder(tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(b"x")
    with pytest.raises(DataError, match="not a folder"):
        open_data(str(path))


def test_a_path_may_hold_a_question_mark_and_still_take_options(pets):
    odd = pets.rename(pets.with_name("what? pets=2"))
    assert open_data(str(odd)).card.splits == {"train": 16, "test": 4}
    assert open_data(f"{odd}?val=0.5").card.splits == {"train": 10, "test": 10}
    assert open_data(f"folder:{odd}?val=0.5").card.splits == {"train": 10, "test": 10}


def test_the_spec_on_the_card_opens_the_same_data(pets):
    for spec in ("digits?test=600", "scenes?train=3&test=2&difficulty=0.5", f"{pets}?val=0.3"):
        card = open_data(spec).card
        assert open_data(card.spec).card == card


def test_defaults_are_left_out_of_the_spec_on_the_card():
    assert open_data("digits?test=797&size=48").card.spec == "digits?size=48"


def test_every_kind_is_listed_with_its_options_and_their_defaults():
    kinds = {kind.name: kind for kind in list_data()}
    assert list(kinds) == ["scenes", "digits", "folder", "hf", "webdataset", "coco", "mot"]
    assert {one.name: one.default for one in kinds["scenes"].settings()} == {
        "size": "32",
        "train": "2000",
        "test": "500",
        "difficulty": "0.3",
        "frame_size": "128",
        "frames": "600",
        "test_frames": "200",
        "sequences": "4",
        "test_sequences": "12",
        "length": "30",
    }
    assert kinds["digits"].usage == "digits?size=32&test=797"
    assert kinds["folder"].usage == "folder:PATH?val=...&test=...&megapixels=50.0"
    assert all(kind.summary for kind in kinds.values())
    assert all(setting.help for kind in kinds.values() for setting in kind.settings())


def test_data_open_without_torch_and_are_listed_without_scikit_learn():
    program = (
        "import sys; from netversus.lab.data import list_data, open_data; list_data();"
        "assert not {'torch', 'sklearn', 'datasets'} & set(sys.modules);"
        "open_data('scenes?train=1&test=1').split('test').image(0); open_data('digits');"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
