"""Every sentence that a report says, in the reader's language. Loads no torch.

A sentence is written in English where it is said, whole and with named gaps:

    say("{best} is better than {other}.", best=name, other=rival)

The English template is the key of the catalogues (`zh.toml`). What a catalogue lacks is said in English; a test reads
the sources and fails for each template that a catalogue lacks, or whose gaps differ. English plurals are decided where
the sentence is said: "1 cell was" and "{n} cells were" are two templates.

What is stored with a run (a cut of the plan, why a cell was skipped, a caveat) is stored in English, made by `noted`,
and told again in the reader's language by `told`, which recognises the template. So a run folder holds plain sentences,
whatever the language, and a run of last year is told in Chinese too. What no template fits (an error of a library, a
word of somebody else's study) is told as it is.
"""

from __future__ import annotations

from netversus.messages.catalogues import LANGUAGES, catalogue, language, say, speaking, template
from netversus.messages.joining import clauses, in_a_row, listed, predicates, sentences
from netversus.messages.stored import noted, told

__all__ = [
    "LANGUAGES",
    "catalogue",
    "clauses",
    "in_a_row",
    "language",
    "listed",
    "noted",
    "predicates",
    "say",
    "sentences",
    "speaking",
    "template",
    "told",
]
