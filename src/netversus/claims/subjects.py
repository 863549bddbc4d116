"""Which contenders of a run a claim's name means."""

from __future__ import annotations

import re

from netversus.claims.records import Claim
from netversus.errors import SpecError
from netversus.lab.contenders.spec import parse

_TAG_OR_PLACE = re.compile(r"^.*[/:]|\..*$")
_CUT_SHORT = frozenset({"stages", "blocks"})


def means(claim: Claim, name: str, contender: str) -> bool:
    """Whether a claim's `name` means a contender, given by its canonical spec.

    A spec as a whole means itself. Else the contender's architecture has to be one of those that the name stands for,
    hyphens and underscores left out: "resnet50" means "resnet50@IMAGENET1K_V2", "timm:resnet50.a1_in1k" and
    "hf:microsoft/resnet-50"; it means neither "timm:wide_resnet50_2" nor "timm:resnet50d" nor a ResNet-50 with blocks
    left out. The user's own code and ONNX graphs are called by whatever name their author chose, so that only the
    whole spec means them.
    """
    if name == contender:
        return True
    architecture = architecture_in(contender)
    return bool(architecture) and architecture in {_plain(each) for each in (claim.subjects or {}).get(name, (name,))}


def architecture_in(contender: str) -> str:
    """The architecture that a spec names, in lower case without hyphens and underscores; empty where it names none."""
    try:
        spec = parse(contender)
    except SpecError:
        return ""
    if spec.source in ("py", "onnx") or _CUT_SHORT & spec.settings.keys():
        return ""
    target = spec.settings.get("arch", "") if spec.source == "file" else spec.target
    return _plain(_TAG_OR_PLACE.sub("", target))


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


def stands_for(claim: Claim, name: str, known: str) -> bool:
    """Whether a claim's `name` stands for an architecture as a file of figures calls it."""
    return _plain(known) in {_plain(each) for each in (name, *(claim.subjects or {}).get(name, ()))}
