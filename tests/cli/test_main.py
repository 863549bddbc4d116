"""The command: what it offers, and how it says no."""

from __future__ import annotations

from importlib import import_module

import pytest

from netversus import __version__
from netversus.cli import __main__ as command_line
from netversus.cli.__main__ import COMMANDS, main
from netversus.errors import NetversusError


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_every_command_and_exit_code(netversus, arguments: tuple[str, ...]):
    ended = netversus(*arguments)
    assert ended.code == 0
    for name in COMMANDS:
        assert f"  {name} " in ended.out
    for code in ("0 fine", "1 internal", "2 wrong use", "3 gate", "4 undecided", "5 incomplete", "130 interrupted"):
        assert code in ended.out.replace("\n", " ")


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_its_own_help(netversus, command: str):
    ended = netversus(command, "--help")
    assert ended.code == 0
    assert "Usage" in ended.out
    assert callable(import_module(f"netversus.cli.{command.replace('-', '_')}").run)


def test_the_version_is_told(netversus):
    assert netversus("--version").out == f"netversus {__version__}\n"


def test_a_misspelt_command_gets_the_nearest(netversus):
    ended = netversus("compair")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "netversus: there is no command 'compair' (did you mean compare?)\n"


def test_an_unknown_flag_is_wrong_use(netversus):
    ended = netversus("compare", "--bugdet", "5m")
    assert ended.code == 2
    assert "--bugdet" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (NetversusError("two\nlines", hint="tell us"), 1, "netversus: two lines (tell us)\n"),
        (KeyboardInterrupt(), 130, "netversus: interrupted\n"),
    ],
)
def test_errors_are_a_line_and_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
):
    class Failing:
        @staticmethod
        def run(arguments: object) -> int:
            raise error

    monkeypatch.setattr(command_line, "import_module", lambda name: Failing)
    assert main(["doctor"]) == code
    assert capsys.readouterr().err == said
