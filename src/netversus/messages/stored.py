"""Sentences that are stored with a run: written in English, told again in the reader's language.

`told` finds the template that a stored sentence was made from by its fixed words, longest first, and fills the gaps of
its translation with what stood in the sentence; what stood in a gap may be such a sentence itself. Names are not: a
class called "head" is called so in any language.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from string import Formatter

from netversus.messages.catalogues import STORED, catalogue_sections, filled, language

_FORMS = {"n": r"[-−+]?[0-9][0-9.,e+-]*", "architecture": r"[^\s,]+", "method": ".+"}
"""What a gap of some name holds; any other holds anything."""
_NAMES = {"name", "contender", "contenders", "data", "a", "b", "file", "key"}
"""Gaps that hold what the user, a file or a package calls things."""


def noted(template: str, /, **values: object) -> str:
    """An English sentence to be stored with a run; its gaps are filled by `str.format`.

    Gaps hold what is said already (a number with its separators, a name, another such sentence): no format behind the
    name of a gap, for the number itself is not stored. A gap named `n` holds a number and nothing else.
    """
    return template.format(**values) if values else template


def told(text: str) -> str:
    """A stored sentence in the language in force; as it is where no template fits."""
    for pattern, translation, worded in _known(language()):
        if found := pattern.fullmatch(text):
            held = found.groupdict()
            gaps = {name: value if name in _NAMES or value == text else told(value) for name, value in held.items()}
            if worded or all(gaps[name] != value for name, value in held.items()):
                return filled(translation, gaps) if gaps else translation
    return text


@cache
def _known(language: str) -> Sequence[tuple[re.Pattern[str], str, bool]]:
    """The stored sentences of a catalogue, those with the most fixed words first, and whether a template has a word, a
    number or a bracket of its own: two gaps and a comma fit whatever holds a comma, and count where both are told."""
    sections = catalogue_sections(language)
    entries = [pair for name, section in sections.items() if name.startswith(STORED) for pair in section.items()]
    entries.sort(key=lambda pair: -len(_fixed(pair[0])))
    return [(_pattern(english), told, _is_worded(english)) for english, told in entries]


def _fixed(template: str) -> str:
    return "".join(fixed for fixed, *_ in Formatter().parse(template))


def _is_worded(template: str) -> bool:
    fixed = _fixed(template)
    return any(map(str.isalpha, fixed)) or "(" in fixed or "{n}" in template


def _pattern(template: str) -> re.Pattern[str]:
    """What the template can have become: anything, if little, in a gap; the same in each gap of one name."""
    parts: list[str] = []
    seen: set[str] = set()
    for fixed, gap, *_ in Formatter().parse(template):
        parts.append(re.escape(fixed))
        if gap is not None:
            parts.append(f"(?P={gap})" if gap in seen else f"(?P<{gap}>{_FORMS.get(gap, '.+?')})")
            seen.add(gap)
    return re.compile("".join(parts), re.DOTALL)
