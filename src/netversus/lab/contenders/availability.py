"""Are the weights here, or can they be had? Asked before any work begins. Loads torch only to download.

Published weights are looked for, and downloaded, where their own libraries keep them: TORCH_HOME and HF_HOME.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from netversus.errors import WeightsError
from netversus.lab.contenders import hub
from netversus.lab.contenders.catalogue import PublishedSet, find
from netversus.lab.contenders.detectors import BOXES, detector_sets
from netversus.lab.contenders.fingerprint import sha256
from netversus.lab.contenders.spec import parse
from netversus.records import ContenderCard

STALLED_SECONDS = 30.0
_HASHED = re.compile(r"-([a-f0-9]{8,})\.")  # as in resnet50-0676ba61.pth: the beginning of the content's SHA-256
_HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # in timm's order


def ensure_available(cards: Iterable[ContenderCard]) -> None:
    """Have every contender's weights on this machine.

    Raises:
        WeightsError: what was wanted, why it cannot be had, what to do instead; within seconds without a network.
    """
    for card in cards:
        if card.untrained:
            continue
        if card.source in {"torchvision", "timm"}:
            _ensure_published(card)
        elif card.source == "hf":
            _ensure_repository(card)


def published_file(card: ContenderCard) -> Path:
    """The file of a card's published weights on this machine.

    Raises:
        WeightsError: it is not here.
    """
    found = _cached(_set(card))
    if found is None:
        raise WeightsError(f"the published weights of {card.name} are not on this machine", hint=_instead(card))
    return found


def checkpoints() -> Path:
    """Where torch.hub keeps what torchvision downloads; the rule is torch.hub's."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"))
    return Path(os.environ.get("TORCH_HOME", cache / "torch")).expanduser() / "hub" / "checkpoints"


def _set(card: ContenderCard) -> PublishedSet:
    if card.head == BOXES:
        return detector_sets(card.architecture)[card.weights]
    return find("timm" if card.source == "timm" else "torchvision", card.architecture).sets[card.weights]


def _cached(published: PublishedSet) -> Path | None:
    for name in _hub_files(published):
        if (found := hub.cached(published.hub, name)) is not None:
            return found
    file = checkpoints() / Path(published.url).name
    return file if published.url and file.is_file() else None


def _hub_files(published: PublishedSet) -> tuple[str, ...]:
    if not published.hub:
        return ()
    return (published.hub_file,) if published.hub_file else _HUB_FILES


def _ensure_published(card: ContenderCard) -> None:
    published = _set(card)
    found = _cached(published)
    if found is None:
        try:
            found = _download(published)
        except WeightsError as error:
            raise WeightsError(
                f"{card.name} needs the published weights {card.weights}, which are not on this machine: "
                f"{error.message}",
                hint=_instead(card),
            ) from None
    _check(found, card)


def _instead(card: ContenderCard) -> str:
    name = f"{'timm:' if card.source == 'timm' else ''}{card.architecture}"
    home = "HF_HOME" if card.source == "timm" else "TORCH_HOME"
    return (
        f"write {name}@scratch to train it here, or file:PATH?arch={name} for a file you have, "
        f"or set {home} to a folder that holds it"
    )


def _check(file: Path, card: ContenderCard) -> None:
    """Compare the content with the hash in the file's name, where there is one."""
    hashed = _HASHED.search(file.name)
    if hashed and not sha256(file).startswith(hashed.group(1)):
        raise WeightsError(
            f"{file} is not what {card.name} was published as: its SHA-256 does not begin with {hashed.group(1)}",
            hint="remove the file, it is downloaded again",
        )


def _download(published: PublishedSet) -> Path:
    for name in _hub_files(published):
        if (found := hub.fetch(published.hub, name)) is not None:
            return found
    if not published.url:
        raise WeightsError(f"{published.hub} has no file of weights that is known here")
    if (reason := hub.unreachable(published.url)) is not None:
        raise WeightsError(f"they cannot be downloaded: {reason}")
    return _from_url(published.url)


def _from_url(url: str) -> Path:
    """torch.hub's own download, which checks the hash and leaves no half file behind."""
    from torch.hub import download_url_to_file

    target = checkpoints() / Path(url).name
    hashed = _HASHED.search(target.name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _stalls_end(STALLED_SECONDS):
            download_url_to_file(url, str(target), hashed.group(1) if hashed else None)
    except (OSError, RuntimeError, HTTPException) as error:  # RuntimeError: the hash is another
        raise WeightsError(f"the download failed: {hub.first_line(error)}") from None
    return target


@contextmanager
def _stalls_end(seconds: float) -> Iterator[None]:
    """torch.hub sets no time limit of its own: let a connection that is silent for so long fail."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _ensure_repository(card: ContenderCard) -> None:
    """A folder's or repository's safetensors, all of them."""
    spec = parse(card.spec)
    folder = hub.folder(spec.target, spec.weights)
    if Path(spec.target).expanduser().is_dir():
        if any(folder.glob("*.safetensors")):
            return
    elif any(hub.fetch(spec.target, name, folder.name) for name in hub.WEIGHTS):
        shards = hub.read_json(folder / hub.WEIGHTS[1]).get("weight_map", {}).values()
        if all(hub.fetch(spec.target, shard, folder.name) for shard in sorted(set(shards))):
            return
    raise WeightsError(
        f"{card.name} has no weights in the safetensors format",
        hint="a folder: save_pretrained(..., safe_serialization=True); a repository: ask its author",
    )
