"""``sldagent ui``: a local web page on the archive."""

from __future__ import annotations

import argparse

from sldagent.cli.options import DEFAULT_ARCHIVE

LACKING = "the page needs the packages of the extra 'ui' ({name} is missing): pip install 'sldagent[ui]', or make extras"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--archive", metavar="URL", default=DEFAULT_ARCHIVE, help=f"database of runs (default: {DEFAULT_ARCHIVE})"
    )
    parser.add_argument("--port", metavar="P", type=_port, default=8765, help="default: 8765; 0: a free one")
    parser.add_argument("--host", metavar="H", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument(
        "--token", metavar="T", help="what browsers must bring (default: none on loopback, a fresh one beyond it)"
    )
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port, a whole number from 0 to 65535")
    return int(text)


def run(args: argparse.Namespace) -> int:
    from sldagent.errors import ConfigError

    try:
        from sldagent.ui.server import Place, serve
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "jinja2"):
            raise
        raise ConfigError(LACKING.format(name=error.name)) from None
    serve(args.archive, Place(args.host, args.port, args.token), open_browser=args.open)
