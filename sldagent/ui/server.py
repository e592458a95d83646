"""Starting the page: archive, address, token, and a server that ends at once when it is told to."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import socket
import sys
import webbrowser
from dataclasses import dataclass
from threading import Thread
from typing import NoReturn

import uvicorn

from sldagent.errors import ConfigError, SldagentError
from sldagent.ui.app import make_app
from sldagent.ui.guard import Policy, is_loopback
from sldagent.ui.source import Source

LEAST_TOKEN = 12
"""Characters of a token that a user may choose."""


@dataclass(frozen=True)
class Place:
    """Where the page is served."""

    host: str = "127.0.0.1"
    port: int = 8765
    """0: a free one."""
    token: str | None = None
    """None: none on loopback, a fresh one beyond it."""


def serve(url: str, place: Place, *, open_browser: bool = False) -> NoReturn:
    """Serve the page on the archive at `url` until the process is interrupted, which ends it with exit code 0.

    Raises ArchiveError where there is no archive that can be read, ConfigError for a host, port or token that cannot be
    used.
    """
    local = is_loopback(place.host)
    token = check_token(place.token, local=local)
    source = Source(url)
    try:
        listener = listen(place.host, place.port)
    except BaseException:
        source.close()
        raise
    port = int(listener.getsockname()[1])
    policy = Policy(local, token, port)
    config = uvicorn.Config(
        make_app(source, policy), log_level="error", access_log=False, lifespan="off", ws="none", server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=1, timeout_keep_alive=30,
    )  # fmt: skip
    address = address_of(place.host, port, token)
    server = uvicorn.Server(config)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.handle_exit)  # from here on, also before uvicorn sets its own
    print(f"sldagent ui: {address}  (archive {source.place}; Ctrl-C ends it)", flush=True)
    if not local:
        print("Anyone who has this address can read the archive; the connection is not encrypted.", file=sys.stderr)
    warm(source)
    if open_browser:
        Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    server.run(sockets=[listener])
    sys.stdout.flush()
    sys.stderr.flush()
    # Whatever a request is still computing ends here too: the archive is only read, so that nothing is lost.
    os._exit(0)


def check_token(given: str | None, *, local: bool) -> str | None:
    """The token to ask for; None: none.  Raises ConfigError for one that keeps nobody out."""
    if given is None:
        return None if local else secrets.token_urlsafe(24)
    if not given and local:
        return None
    if not given:
        raise ConfigError(
            "a page beyond this machine needs a token: leave --token out to have one made, or listen on 127.0.0.1"
        )
    if len(given) < LEAST_TOKEN or not given.isascii() or not given.isprintable():
        raise ConfigError(
            f"the token is too easy to guess or to lose: give {LEAST_TOKEN} or more printable ASCII characters, or leave "
            "--token out to have one made"
        )
    return given


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.  Raises ConfigError where the host or the port cannot be had."""
    bare = host.strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            bare, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError, OverflowError) as error:
        why = f"there is no host '{host}' to listen on ({_reason(error)}); leave --host out for 127.0.0.1"
        raise ConfigError(why) from None
    found = socket.socket(family, kind, protocol)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(128)
    except OSError as error:
        found.close()
        raise _refused(host, port, error) from None
    return found


def _refused(host: str, port: int, error: OSError) -> SldagentError:
    if error.errno == errno.EADDRINUSE:
        return ConfigError(f"port {port} is in use on {host}; give another with --port, or --port 0 for any free one")
    if error.errno == errno.EACCES:
        return ConfigError(f"port {port} may not be used here; give one above 1023 with --port")
    if error.errno == errno.EADDRNOTAVAIL:
        return ConfigError(f"{host} is no address of this machine; leave --host out for 127.0.0.1, or give 0.0.0.0 for all")
    return ConfigError(f"cannot listen on {host}, port {port}: {_reason(error)}")


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def address_of(host: str, port: int, token: str | None) -> str:
    """What to open in a browser."""
    name = host.strip("[]")
    if name in ("0.0.0.0", "::", ""):
        name = socket.gethostname()
    shown = f"[{name}]" if ":" in name else name
    return f"http://{shown}:{port}/" + (f"?token={token}" if token else "")


def warm(source: Source) -> None:
    """Sum up the newest runs in the background, so that the first page on a long one does not have to."""

    def work() -> None:
        try:
            opened = source.get()
            for line in opened.watcher.runs(3):
                opened.watcher.look(line.run)
        except SldagentError:
            return  # whoever asks for a page is told

    Thread(target=work, daemon=True).start()
