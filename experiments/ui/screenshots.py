"""Pictures of the page on an archive, every page at 1,280 and 400 pixels width.

    python experiments/ui/screenshots.py ARCHIVE RUN [-o FOLDER] [--dark] [--height PIXELS]

Needs the package playwright and a Chromium of the system's (Debian: ``apt-get install chromium``).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from sldagent.archive.store import Archive

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
WIDTHS = (1280, 400)


def pages(archive: Archive, name: str) -> dict[str, str]:
    """Name of a picture -> address."""
    run = archive.run(name)
    laws = [run.choice, *run.shortlist, *(c.k for c in archive.front(run.run))]
    two = list(dict.fromkeys(k for k in laws if k is not None))[:2]
    base = f"/run/{run.run}"
    found = {"runs": "/", "front": base} | {part: f"{base}/{part}" for part in ("islands", "operators", "cost", "log")}
    found |= {"failures": f"{base}/failures?reason=", "sql": f"/sql?name=front&run={run.run}"}
    if two:
        found["law"] = f"{base}/law/{two[0]}"
    if len(two) == 2:
        found["compare"] = f"/compare?law={run.run}-{two[0]}&law={run.run}-{two[1]}"
    return found


def shoot(page: Any, address: str, file: Path, height: int | None) -> None:
    page.goto(address)
    # Drawings further down are loaded when they come near.
    page.evaluate("() => Promise.all([...document.images].map(i => { i.loading = 'eager'; return i.decode(); }))")
    clip = None if height is None else {"x": 0, "y": 0, "width": page.viewport_size["width"], "height": height}
    page.screenshot(path=file, full_page=True, clip=clip)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", metavar="ARCHIVE")
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("-o", "--output", type=Path, default=Path("."), metavar="FOLDER")
    parser.add_argument("--dark", action="store_true")
    parser.add_argument("--height", type=int, help="cut pictures off here (default: the whole page)")
    parser.add_argument("--only", metavar="PAGE", action="append", help="pages to picture (default: all)")
    parser.add_argument("--width", metavar="W", type=int, action="append", help=f"default: {WIDTHS}")
    args = parser.parse_args()
    with Archive.open(args.archive, read_only=True) as archive:
        wanted = {name: path for name, path in pages(archive, args.run).items() if not args.only or name in args.only}
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit(f"no browser is installed (one of {', '.join(BROWSERS)})")
    command = [sys.executable, "-m", "sldagent", "ui", "--archive", args.archive, "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    address = next(word for word in server.stdout.readline().split() if word.startswith("http")).rstrip("/")
    args.output.mkdir(parents=True, exist_ok=True)
    try:
        with sync_playwright() as playwright:
            options = ["--no-sandbox"] if os.geteuid() == 0 else []
            browser = playwright.chromium.launch(executable_path=program, args=["--disable-dev-shm-usage", *options])
            for width in args.width or WIDTHS:
                context = browser.new_context(
                    viewport={"width": width, "height": 900}, color_scheme="dark" if args.dark else "light"
                )
                page = context.new_page()
                page.set_default_timeout(240_000)
                for name, path in wanted.items():
                    shoot(page, address + path, args.output / f"{name}-{width}.png", args.height)
                context.close()
            browser.close()
    finally:
        server.send_signal(signal.SIGINT)
        server.wait()


if __name__ == "__main__":
    main()
