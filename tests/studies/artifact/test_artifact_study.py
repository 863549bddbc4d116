"""The artifact study: what it observes of each kind of contender, and what the report says of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torchvision.models import get_model

from netversus.exhibits import Table, Text
from netversus.lab.contenders.resolve import resolve
from netversus.lab.data import open_data
from netversus.records import Artifact, ContenderCard, Observations
from netversus.studies.artifact import SCAN_FILE, STUDY
from netversus.studies.artifact.exhibit import exhibit
from netversus.studies.artifact.measure import measure


class Payload:
    def __reduce__(self):
        return os.mkdir, ("/nonexistent/canary",)


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ContenderCard]:
    folder = tmp_path_factory.mktemp("weights")
    state = get_model("squeezenet1_1", num_classes=10).state_dict()
    torch.save(state, folder / "good.pt")
    torch.save({**state, "x": Payload()}, folder / "bad.pt")
    (folder / "page.pt").write_text("<html>")
    data = open_data("digits").card
    specs = {name: f"file:{folder / name}.pt?arch=squeezenet1_1" for name in ("good", "bad", "page")}
    specs |= {"code": "py:tiny_nets:narrow@scratch", "scratch": "squeezenet1_1@scratch"}
    return {name: resolve(spec, data) for name, spec in specs.items()}


def observed(
    *cards: ContenderCard, stored: tuple[str, ...] = ()
) -> tuple[dict[tuple[str, str], float], dict[str, dict]]:
    bench = SimpleNamespace(contenders=cards, options=STUDY.options(), stored=lambda who, _: who in stored)
    facts, told = {}, {}
    for each in measure(bench):
        if isinstance(each, Observations):
            facts[each.contender, each.metric] = each.values[0]
        elif isinstance(each, Artifact):
            told[each.contender] = json.loads(each.content)
    return facts, told


class Evidence:
    """What an exhibit is given."""

    def __init__(self, cards: list[ContenderCard], told: dict[str, dict]) -> None:
        self.contenders = cards
        self.told = told

    def artifact(self, name: str, contender: str = "", seed: int | None = None) -> bytes | None:
        assert name == SCAN_FILE
        return json.dumps(self.told[contender]).encode() if contender in self.told else None


def test_each_kind_of_contender_has_its_facts(cards):
    facts, _ = observed(*cards.values())
    wanted = {"good": (0, 0, 1), "bad": (1, 0, 1), "page": (0, 1, 1), "code": (0, 1, 1), "scratch": (0, 0, 0)}
    for name, values in wanted.items():
        who = cards[name].name
        assert tuple(facts[who, metric] for metric in ("refused", "unscanned", "files")) == values, name


def test_what_is_stored_is_not_scanned_again(cards):
    name = cards["good"].name
    facts, told = observed(cards["good"], cards["code"], stored=(name,))
    assert name not in told
    assert {who for who, _ in facts} == {cards["code"].name}


def test_the_report_shows_verdict_digest_and_evidence_and_never_says_secure(cards):
    _, told = observed(*cards.values())
    text, origins, files, evidence = list(exhibit(Evidence(list(cards.values()), told)))
    assert isinstance(text, Text)
    assert "poisoned in training" in text.text
    assert "secure" not in text.text
    assert "are hostile: they are not opened" in text.text
    assert "code of your own" in text.text
    assert all(isinstance(each, Table) for each in (origins, files, evidence))
    verdicts = {row[1]: row[5] for row in files.rows}
    assert verdicts == {
        "good.pt": "clean", "bad.pt": "hostile", "page.pt": "not scanned", "tiny_nets.py": "own code",
    }  # fmt: skip
    assert all(len(row[6]) == 64 for row in files.rows)
    assert any("mkdir" in row[3] and "data.pkl" in row[4] for row in evidence.rows)


def test_nothing_stored_shows_nothing(cards):
    assert list(exhibit(Evidence(list(cards.values()), {}))) == []


def test_the_hub_s_folder_is_scanned_whole(tmp_path: Path, cards):
    from safetensors.torch import save_file

    (tmp_path / "config.json").write_text('{"id2label": {}}')
    save_file({"w": torch.ones(2)}, tmp_path / "model.safetensors")
    torch.save({"x": Payload()}, tmp_path / "pytorch_model.bin")
    (tmp_path / "modeling.py").write_text("import os")
    card = resolve(f"hf:{tmp_path}", open_data("digits").card)
    facts, told = observed(card)
    verdicts = {file["path"]: file["verdict"] for file in told[card.name]["files"]}
    assert verdicts == {"model.safetensors": "clean", "modeling.py": "not scanned", "pytorch_model.bin": "hostile"}
    assert facts[card.name, "refused"] == 1
