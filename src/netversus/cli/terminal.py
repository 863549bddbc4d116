"""What the commands share at the terminal: running a Typer command, and rich tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from netversus.errors import OptionError

# What Typer's parser raises; where the class lives has moved from version to version.
_WRONG_USE: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")


def run_command(command: Callable[..., Any], name: str, arguments: Sequence[str]) -> int:
    """Run one function as a Typer command. Its return value is the exit code.

    Raises:
        OptionError: arguments that the command does not take.
    """
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(command)
    try:
        code = app(args=list(arguments), prog_name=f"netversus {name}", standalone_mode=False)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except _WRONG_USE as error:
        hint = f"netversus {name} --help tells what there is"
        raise OptionError(error.format_message().rstrip("."), hint=hint) from None
    return int(code or 0)


def console() -> Console:
    """Standard output: coloured on a terminal, plain elsewhere, never cut in a pipe."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=120)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A rich table with every column allowed to wrap; the content is text, never markup."""
    from rich.text import Text

    grid = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid
