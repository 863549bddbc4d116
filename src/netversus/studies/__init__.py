"""The studies, each found by looking: a folder here, or an entry point of the group `netversus.studies`.

There is no table to edit. A third-party package offers a study by

    [project.entry-points."netversus.studies"]
    mine = "my_package.my_study"

where the module holds `STUDY` as the folders here do.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from netversus.errors import NetversusError, OptionError, nearest
from netversus.records import ContenderCard
from netversus.study import Study

GROUP = "netversus.studies"


@cache
def find_studies() -> Mapping[str, Study]:
    """Every study by name, sorted. Loads their declarations, not their torch code.

    Raises:
        NetversusError: a study's name is taken or differs from its folder's.
    """
    found: dict[str, Study] = {}
    for module in [*_built_in(), *_installed()]:
        study = replace(import_module(module).STUDY, module=module)
        if study.name in found:
            raise NetversusError(f"two studies are named {study.name!r}: {found[study.name].module} and {module}")
        found[study.name] = study
    return dict(sorted(found.items()))


def _built_in() -> Iterable[str]:
    return (f"{__name__}.{m.name}" for m in pkgutil.iter_modules(__path__) if m.ispkg)


def _installed() -> Iterable[str]:
    return (point.value for point in entry_points(group=GROUP))


def get_study(name: str) -> Study:
    """A study by name.

    Raises:
        OptionError: there is none of that name; the hint names the nearest.
    """
    studies = find_studies()
    if name not in studies:
        hint = nearest(name, studies) or f"the studies are {', '.join(studies)}"
        raise OptionError(f"there is no study {name!r}", hint=hint)
    return studies[name]


def is_trained(study: str, card: ContenderCard) -> bool:
    """Whether the training seeds of a run make checkpoints of a contender (`Study.trains`). Of a study that is not
    installed here no more is known than what the contender's card says."""
    found = find_studies().get(study)
    return card.untrained if found is None else found.trains(card)


def chosen_studies(names: Iterable[str]) -> tuple[Study, ...]:
    """The studies asked for, without repetition; the default ones when none is named."""
    wanted = tuple(dict.fromkeys(names))
    if not wanted:
        return tuple(study for study in find_studies().values() if study.default)
    return tuple(get_study(name) for name in wanted)
