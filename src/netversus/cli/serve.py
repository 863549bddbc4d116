"""`netversus serve`: runs as pages on this machine."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import typer

from netversus.cli.terminal import run_command
from netversus.errors import EXIT_OK, MissingExtraError
from netversus.messages import say, speaking

HOST, PORT = "127.0.0.1", 8484


def run(arguments: Sequence[str]) -> int:
    """Run the command."""
    return run_command(_serve, "serve", arguments)


def _serve(
    place: Annotated[
        str, typer.Argument(metavar="FOLDER", help="A folder of runs, a run, or a run's address in an object store.")
    ] = "runs",
    host: Annotated[str, typer.Option(help="The address to listen on. Only this machine reaches the default.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = PORT,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the browser.")] = False,
    lang: Annotated[str, typer.Option(help="Language of the pages: en, or zh for Chinese.")] = "en",
) -> int:
    """Show runs in the browser, those that are done and those being measured. Nothing can be changed there."""
    for package in ("starlette", "uvicorn"):
        if find_spec(package) is None:
            raise MissingExtraError(package, "serve", "netversus serve")
    from netversus.browse.guard import is_loopback
    from netversus.browse.serving import address_of, listen, serve
    from netversus.browse.site import Site

    site = Site(place, host, lang)
    listener = listen(host, port)
    address = address_of(listener)

    def ready() -> None:
        shown = site.shelf.place
        print(say("{place} is shown at {address} (Ctrl-C ends it)", place=shown, address=address), flush=True)
        if not is_loopback(host):
            said = say(
                "whoever reaches {host} may read every run in {place}: there is no password", host=host, place=shown
            )
            print(said, flush=True)
        if open_browser and not webbrowser.open(address):
            print(say("no browser could be opened here"), flush=True)

    with speaking(lang):
        with suppress(KeyboardInterrupt):  # the server raises it again once it has shut down, but not in the background
            serve(site, listener, ready)
        print(say("ended"), flush=True)
    return EXIT_OK
