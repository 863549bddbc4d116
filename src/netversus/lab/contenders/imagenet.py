"""The 1,000 classes of ImageNet-1k, as the synset list that timm ships tells them. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from netversus.lab.contenders.catalogue import package_folder


@lru_cache(maxsize=1)
def synsets() -> Mapping[str, int]:
    """Each synset (such as "n01440764") and the output that stands for it in networks trained on ImageNet-1k."""
    path = package_folder("timm") / "data" / "_info" / "imagenet_synsets.txt"
    return {name: index for index, name in enumerate(path.read_text(encoding="ascii").split())}


@lru_cache(maxsize=1)
def labels() -> tuple[str, ...]:
    """The classes in words, in the order of the outputs ("tench, Tinca tinca" is the first)."""
    path = package_folder("timm") / "data" / "_info" / "imagenet_synset_to_lemma.txt"
    words = dict(line.split("\t", 1) for line in path.read_text(encoding="utf-8").splitlines())
    return tuple(words[name] for name in synsets())


def outputs_for(classes: Sequence[str]) -> tuple[int, ...]:
    """The outputs that stand for `classes` where all of them are ImageNet-1k synsets; else empty."""
    known = synsets()
    return tuple(known[name] for name in classes) if all(name in known for name in classes) else ()
