"""The command `netversus`: finds the subcommand, loads that one only, and turns errors into a line and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module

COMMANDS = {
    "compare": "Compare contenders on your data, and report.",
    "watch": "Follow a run while another process works on it.",
    "serve": "Show runs as pages on this machine, live ones too, and compare two of them.",
    "export": "Write a run for other tools: model card, TensorBoard, tables, LaTeX, pull request.",
    "train": "Train one contender alone, to weights that compare takes.",
    "report": "Write the report of a run again, as HTML, Markdown, JSON or CSV.",
    "recommend": "Say which contender fits limits and priorities, and what would change that.",
    "gate": "Pass or fail a run on conditions, for continuous integration.",
    "audit": "Hold claims against a run and against published figures.",
    "power": "Say how many images, seeds, sequences or timing blocks a comparison needs.",
    "list": "List the studies, the contenders, the data, or the engines.",
    "doctor": "Say what this machine can do.",
    "scan": "Say what is in a model file, before anyone opens it.",
    "inspect-data": "Look for duplicates, wrong labels and triggers in your images, before training.",
    "export-data": "Write built-in data as files that other tools read.",
}
"""Name -> one line. The module is `netversus.cli.<name>` with underscores and holds `run(arguments)`."""

HELP = """\
Usage: netversus COMMAND [ARGUMENTS]

  Which of these vision backbones should I use, and how sure are we?

Commands:
{commands}

Options:
  --version   Show the version.
  --help      Show this message, or a command's own after its name.

Exit codes: 0 fine, 1 internal error, 2 wrong use, 3 gate failed, 4 undecided,
5 incomplete (a cell failed), 130 interrupted and resumable.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line. Returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # PyTorch reads this once, before its first allocation: huge pages for large buffers, harmless elsewhere.
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if not words or words[0] in ("--help", "-h"):
        print(help_text(), end="")
        return 0
    if words[0] == "--version":
        from netversus import __version__

        print(f"netversus {__version__}")
        return 0
    return _run(words[0], words[1:])


def help_text() -> str:
    """The overview. Plain, so that it answers at once: a command's own help is Typer's."""
    lines = (f"  {name:<12} {line}" for name, line in COMMANDS.items())
    return HELP.format(commands="\n".join(lines))


def _run(command: str, arguments: list[str]) -> int:
    from netversus.errors import EXIT_INTERNAL, EXIT_INTERRUPTED, EXIT_USAGE, NetversusError, nearest

    if command not in COMMANDS:
        hint = nearest(command, COMMANDS) or f"the commands are {', '.join(COMMANDS)}"
        print(f"netversus: there is no command {command!r} ({hint})", file=sys.stderr)
        return EXIT_USAGE
    try:
        module = import_module(f"netversus.cli.{command.replace('-', '_')}")
        return int(module.run(arguments))
    except NetversusError as error:
        print(f"netversus: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("netversus: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_INTERNAL


if __name__ == "__main__":
    sys.exit(main())
