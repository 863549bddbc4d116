"""A socket and a server for a site. Ends when it is interrupted, and lets go of those who still read."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn

from netversus.browse.site import Site
from netversus.errors import OptionError

GRACE_SECONDS = 3


class _Server(uvicorn.Server):  # type: ignore[misc]  # it is taken to have no types
    """A server that tells its site when it is asked to end: events are read without end."""

    def __init__(self, config: uvicorn.Config, site: Site) -> None:
        super().__init__(config)
        self._site = site

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Asked to end."""
        self._site.closing.set()
        super().handle_exit(sig, frame)


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        OptionError: there is no such address, or the port is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError, OverflowError):
        raise OptionError(
            f"there is no address {host!r}", hint="--host takes a name or an address of this machine"
        ) from None
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen()
    except OSError as error:
        listener.close()
        raise _refused(host, port, error) from None
    return listener


def _refused(host: str, port: int, error: OSError) -> OptionError:
    if error.errno == errno.EADDRINUSE:
        return OptionError(f"port {port} of {host} is in use", hint="name another with --port; 0 takes a free one")
    if error.errno == errno.EADDRNOTAVAIL:
        return OptionError(f"{host} is no address of this machine")
    return OptionError(f"cannot listen on port {port} of {host}: {error.strerror}")


def address_of(listener: socket.socket) -> str:
    """Where a browser of this machine finds it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- not where it listens: where it is found
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def serve(site: Site, listener: socket.socket, ready: Callable[[], None] = lambda: None) -> None:
    """Answer until interrupted. `ready` is called before: who asks from then on waits in the socket's queue."""
    config = uvicorn.Config(
        site.app,
        log_level="warning",
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    ready()
    with listener:
        _Server(config, site).run(sockets=[listener])
