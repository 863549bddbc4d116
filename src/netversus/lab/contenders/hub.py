"""Files of Hugging Face repositories: from the local cache first, else downloaded into it. Loads no torch."""

from __future__ import annotations

import json
from http.client import HTTPException
from logging import ERROR
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import huggingface_hub
from huggingface_hub.errors import EntryNotFoundError, HFValidationError, LocalEntryNotFoundError
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # exported lazily
from huggingface_hub.utils.logging import get_verbosity, set_verbosity

from netversus.errors import WeightsError

PROBE_SECONDS = 8.0
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")


def cached(repository: str, file: str, revision: str = "") -> Path | None:
    """A file's place in the local cache, or None."""
    found = huggingface_hub.try_to_load_from_cache(repository, file, revision=revision or None)
    return Path(found) if isinstance(found, str) else None


def fetch(repository: str, file: str, revision: str = "") -> Path | None:
    """A file, from the cache or the network; None where the repository has no such file.

    Raises:
        WeightsError: it cannot be had; the message says why.
    """
    here = cached(repository, file, revision)
    if here is not None:
        return here
    if (reason := unreachable(huggingface_hub.hf_hub_url(repository, file, revision=revision or None))) is not None:
        raise WeightsError(f"the file {file} of {repository} is not in the cache and cannot be downloaded: {reason}")
    level = get_verbosity()
    set_verbosity(ERROR)  # its five retries would be told as five warnings
    try:
        return Path(huggingface_hub.hf_hub_download(repository, file, revision=revision or None, etag_timeout=10))
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):
            raise WeightsError(f"cannot download {file} of {repository}: {first_line(error)}") from None
        return None
    except (OSError, ValueError) as error:  # HfHubHTTPError is an OSError, a malformed name a ValueError
        raise WeightsError(f"cannot download {file} of {repository}: {first_line(error)}") from None
    finally:
        set_verbosity(level)


def unreachable(url: str) -> str | None:
    """Why the server of `url` does not answer, within seconds; None when it does, whatever its answer."""
    try:
        with urlopen(Request(url, method="HEAD"), timeout=PROBE_SECONDS):  # noqa: S310 (the catalogue's own URLs)
            return None
    except HTTPError:
        return None
    except URLError as error:
        return f"no network ({error.reason})"
    except (OSError, ValueError, HTTPException) as error:
        return f"no network ({first_line(error)})"


def folder(target: str, revision: str = "") -> Path:
    """The folder with the config.json of a local directory, or of a repository's snapshot in the cache.

    Raises:
        WeightsError: there is none, and it cannot be downloaded.
    """
    local = Path(target).expanduser()
    if local.is_dir():
        if not (local / "config.json").is_file():
            raise WeightsError(f"{target} holds no config.json", hint="save_pretrained writes one")
        return local
    try:
        validate_repo_id(target)
    except HFValidationError:
        raise WeightsError(
            f"{target!r} is neither a local folder nor the name of a repository", hint="for example microsoft/resnet-50"
        ) from None
    try:
        config = fetch(target, "config.json", revision)
    except WeightsError as error:
        raise WeightsError(
            error.message, hint="name a local folder that save_pretrained wrote, or set HF_HOME"
        ) from None
    if config is None:
        raise WeightsError(f"{target} has no config.json, so transformers cannot build it")
    fetch(target, "preprocessor_config.json", revision)
    return config.parent


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; empty where there is no file.

    Raises:
        WeightsError: it is no JSON object.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise WeightsError(f"{path} cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path} holds no JSON object")
    return content


def first_line(error: BaseException) -> str:
    """An error in one line."""
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__
