"""Published weights are found where their libraries keep them, downloaded, or refused in one line before any work."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from netversus.errors import WeightsError
from netversus.lab.contenders import availability
from netversus.lab.contenders.availability import checkpoints, ensure_available, published_file
from netversus.lab.contenders.catalogue import PublishedSet, find
from netversus.lab.contenders.resolve import resolve
from netversus.records import ContenderCard, DataCard

CONTENT = b"the weights"
HASH = hashlib.sha256(CONTENT).hexdigest()[:8]
SOON = 20.0  # seconds: long before a user gives up, and far above what it takes


@pytest.fixture
def resnet18(synset_data: DataCard) -> ContenderCard:
    return resolve("resnet18@IMAGENET1K_V1", synset_data)


@pytest.fixture
def published_at(monkeypatch: pytest.MonkeyPatch, resnet18: ContenderCard) -> Callable[[str], ContenderCard]:
    """Let resnet18's file be published at another address; nobody can make a file with the hash of the true one."""

    def move(url: str) -> ContenderCard:
        published = find("torchvision", "resnet18").sets["IMAGENET1K_V1"]
        monkeypatch.setattr(availability, "_set", lambda _card: replace(published, url=url))
        return resnet18

    return move


def refusal(card: ContenderCard) -> str:
    begin = time.monotonic()
    with pytest.raises(WeightsError) as caught:
        ensure_available([card])
    assert time.monotonic() - begin < SOON
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize(
    ("text", "instead", "home"),
    [
        ("resnet50@IMAGENET1K_V2", "resnet50", "TORCH_HOME"),
        ("resnet50", "resnet50", "TORCH_HOME"),
        ("timm:resnet101.a1h_in1k", "timm:resnet101", "HF_HOME"),
    ],
)
def test_without_a_network_one_line_says_what_to_do_instead(text, instead: str, home: str, synset_data: DataCard):
    card = resolve(text, synset_data)
    said = refusal(card)
    assert said.startswith(f"{text} needs the published weights {card.weights}, which are not on this machine: ")
    assert "no network" in said
    assert f"write {instead}@scratch" in said
    assert f"file:PATH?arch={instead}" in said
    assert f"set {home} to a folder" in said


@pytest.mark.usefixtures("no_network")
def test_a_repository_without_a_network_is_one_line_when_it_is_resolved(data_card: DataCard):
    begin = time.monotonic()
    with pytest.raises(WeightsError, match="not in the cache and cannot be downloaded: no network") as caught:
        resolve("hf:microsoft/resnet-50", data_card)
    assert time.monotonic() - begin < SOON
    assert "name a local folder" in caught.value.hint
    assert len(str(caught.value).splitlines()) == 1


def test_a_closed_port_and_a_host_without_a_name_are_refused(published_at, closed: str):
    assert "no network" in refusal(published_at(f"{closed}/resnet18-{HASH}.pth"))
    assert "no network" in refusal(published_at(f"http://no-such-host.invalid/resnet18-{HASH}.pth"))


def test_a_server_that_says_nothing_is_given_up_on(published_at, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(availability.hub, "PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/resnet18-{HASH}.pth"
        assert "no network" in refusal(published_at(url))


def test_a_server_that_speaks_another_protocol_is_told_so(published_at):
    with socket.create_server(("127.0.0.1", 0)) as odd:

        def answer() -> None:
            with odd.accept()[0] as connection:
                connection.recv(1000)
                connection.sendall(b"220 mail ready\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert "no network" in refusal(published_at(f"http://127.0.0.1:{odd.getsockname()[1]}/resnet18-{HASH}.pth"))
        thread.join()


def test_a_file_in_torch_home_is_used(published_at, closed: str, torch_home: Path):
    card = published_at(f"{closed}/resnet18-{HASH}.pth")
    with pytest.raises(WeightsError, match="not on this machine"):
        published_file(card)
    (torch_home / f"resnet18-{HASH}.pth").write_bytes(CONTENT)
    ensure_available([card])
    assert published_file(card) == torch_home / f"resnet18-{HASH}.pth"


def test_the_true_sets_are_looked_for_under_their_true_names(torch_home: Path, resnet18: ContenderCard):
    (torch_home / "resnet18-f37072fd.pth").write_bytes(CONTENT)
    assert published_file(resnet18) == torch_home / "resnet18-f37072fd.pth"
    said = refusal(resnet18)
    assert "resnet18-f37072fd.pth is not what resnet18@IMAGENET1K_V1 was published as" in said
    assert "remove the file" in said


def test_the_folder_of_checkpoints_is_torch_hubs(torch_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from torch.hub import get_dir

    assert checkpoints() == torch_home
    monkeypatch.delenv("TORCH_HOME")
    for cache in (str(tmp_path / "cache"), "~/other", None):
        if cache is None:
            monkeypatch.delenv("XDG_CACHE_HOME")
        else:
            monkeypatch.setenv("XDG_CACHE_HOME", cache)
        assert str(checkpoints()) == f"{get_dir()}/checkpoints"


def test_a_set_is_downloaded_once(published_at, server, torch_home: Path):
    server.files[f"/models/resnet18-{HASH}.pth"] = CONTENT
    card = published_at(f"{server.address}/models/resnet18-{HASH}.pth")
    before = socket.getdefaulttimeout()
    ensure_available([card])
    ensure_available([card])
    assert server.asked == [f"/models/resnet18-{HASH}.pth"]
    assert published_file(card).read_bytes() == CONTENT
    assert [path.name for path in torch_home.iterdir()] == [f"resnet18-{HASH}.pth"]
    assert socket.getdefaulttimeout() == before


@pytest.mark.parametrize("content", [b"another content", None])
def test_a_download_that_is_not_what_was_published_leaves_nothing(content, published_at, server, torch_home: Path):
    if content is not None:
        server.files[f"/resnet18-{HASH}.pth"] = content
    said = refusal(published_at(f"{server.address}/resnet18-{HASH}.pth"))
    assert "the download failed: " in said
    assert ("invalid hash" if content else "404") in said
    assert not list(torch_home.iterdir())


def test_a_torch_home_that_cannot_be_written_is_one_line(published_at, server, tmp_path: Path, monkeypatch):
    (tmp_path / "a file").write_bytes(b"")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "a file"))
    server.files[f"/resnet18-{HASH}.pth"] = CONTENT
    assert "the download failed: " in refusal(published_at(f"{server.address}/resnet18-{HASH}.pth"))


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("file", ["model.safetensors", "pytorch_model.bin"])
def test_timms_weights_are_taken_from_the_hubs_cache(file: str, cache_in_hub, synset_data: DataCard):
    card = resolve("timm:resnet101.a1h_in1k", synset_data)
    place = cache_in_hub("timm/resnet101.a1h_in1k", file)
    place.write_bytes(CONTENT)
    ensure_available([card])
    assert published_file(card) == place


@pytest.mark.usefixtures("no_network")
def test_timms_older_file_in_torch_home_is_used_and_checked(torch_home: Path, synset_data: DataCard):
    card = resolve("timm:resnet101.a1h_in1k", synset_data)
    name = Path(find("timm", "resnet101").sets["a1h_in1k"].url).name
    (torch_home / name).write_bytes(CONTENT)
    assert "is not what timm:resnet101.a1h_in1k was published as" in refusal(card)


def test_timms_weights_are_downloaded_from_the_hub_into_its_cache(server, hub_at, hub_cache: Path, synset_data):
    hub_at(server.address)
    card = resolve("timm:resnet101.a1h_in1k", synset_data)
    server.files["/timm/resnet101.a1h_in1k/resolve/main/pytorch_model.bin"] = CONTENT
    ensure_available([card])  # a repository without safetensors
    found = published_file(card)
    assert found.name == "pytorch_model.bin"
    assert found.is_relative_to(hub_cache)
    assert found.read_bytes() == CONTENT


def test_a_set_without_a_file_is_said(monkeypatch: pytest.MonkeyPatch, server, hub_at, synset_data: DataCard):
    hub_at(server.address)
    bare = PublishedSet("a1h_in1k", 1000, None, hub="timm/resnet101.a1h_in1k")
    monkeypatch.setattr(availability, "_set", lambda _card: bare)
    assert "timm/resnet101.a1h_in1k has no file of weights" in refusal(resolve("timm:resnet101.a1h_in1k", synset_data))


@pytest.mark.usefixtures("no_network")
def test_what_needs_no_download_needs_no_network(tmp_path: Path, data_card: DataCard, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "w.pt").write_bytes(CONTENT)
    (tmp_path / "nets.py").write_text("def make(): ...\n")
    monkeypatch.chdir(tmp_path)
    specs = ("resnet50", "timm:resnet50@scratch", "file:w.pt?arch=resnet50", "onnx:w.pt", "py:nets:make")
    ensure_available(resolve(spec, data_card) for spec in specs)
