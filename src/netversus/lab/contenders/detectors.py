"""Contenders that find objects by themselves: torchvision's trained detectors and transformers' DETR. Loads no torch.

They are compared as they come, by studies that judge boxes; their `head` is "boxes". Which detectors the installed
torchvision has is read from its source text, as `catalogue` does it for classifiers.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from netversus.errors import SpecError, nearest
from netversus.lab.contenders.catalogue import IMAGENET_MEAN, IMAGENET_STD, PublishedSet, package_folder
from netversus.lab.contenders.module_source import ModuleSource
from netversus.records import Preprocessing

BOXES = "boxes"
HF_DETECTORS = ("DetrForObjectDetection",)
PREPARED = Preprocessing(crop=800, resize=800, mean=IMAGENET_MEAN, std=IMAGENET_STD)
"""They resize by themselves, to a shorter side of 800 px with ImageNet's mean and deviation; told, not used."""

_REGISTERED = re.compile(r"^@register_model\b.*\n(?:@.*\n)*def (\w+)\(", re.MULTILINE)
_OTHER_TASKS = ("keypointrcnn",)


def is_detector(name: str) -> bool:
    """Whether torchvision has a detector of that name."""
    return name in _index()


def detector_sets(name: str) -> Mapping[str, PublishedSet]:
    """The published weights of a torchvision detector, the default first.

    Raises:
        SpecError: there is no such detector.
    """
    index = _index()
    if name not in index:
        raise SpecError(f"torchvision has no detector {name!r}", hint=nearest(name, index))
    module = ModuleSource(index[name])
    enum = next((one for one in _annotated(module.functions[name]) if one in module.classes), "")
    members = module.members(enum) if enum else {}
    return {
        member: _set(member, {word.arg: module.evaluate(word.value) for word in call.keywords if word.arg})
        for member, call in members.items()
        if isinstance(call, ast.Call)
    }


def _set(name: str, value: Mapping[str, Any]) -> PublishedSet:
    meta = value.get("meta")
    told: Mapping[str, Any] = meta if isinstance(meta, Mapping) else {}
    return PublishedSet(
        name=name,
        classes=0,
        preprocessing=PREPARED,
        url=str(value["url"]),
        recipe=str(told.get("recipe", "")),
        parameters=told.get("num_params"),
    )


@lru_cache(maxsize=1)
def _index() -> Mapping[str, Path]:
    """The module of each detector that gives boxes of several classes."""
    return {
        name: path
        for path in sorted((package_folder("torchvision") / "models" / "detection").glob("*.py"))
        for name in _REGISTERED.findall(path.read_text(encoding="utf-8"))
        if not name.startswith(_OTHER_TASKS)
    }


def _annotated(function: ast.FunctionDef) -> list[str]:
    """The names in the annotation of the argument `weights`."""
    for argument in (*function.args.args, *function.args.kwonlyargs):
        if argument.arg == "weights" and argument.annotation is not None:
            return [node.id for node in ast.walk(argument.annotation) if isinstance(node, ast.Name)]
    return []
