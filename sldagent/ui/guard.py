"""Who may see the page, and what a browser may do with it.

* Listening on loopback, only requests whose Host header names this machine are answered: a page of another site that lets
  its own name point here (DNS rebinding) asks by that name.
* With a token, only requests that bring it are answered: once in the address, then in a cookie that no script and no other
  site's request carries.  Beyond loopback the token is what keeps others out, rebinding included.
* Forms are taken from this page alone.
* Answers may load nothing, run nothing and send nothing but what this server has.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with that, browsers call the origin of this page's own form "null".
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "private, no-cache",
}
PARAMETER = "token"


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without a port, is this machine's own."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def host_of(header: str) -> str:
    """The name in a Host header; '' where it cannot be read."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


@dataclass(frozen=True)
class Policy:
    """Who may see the page."""

    local: bool
    """The server listens on loopback, so that only this machine's names may be asked for."""
    token: str | None
    """None: nobody is asked for one."""
    port: int

    @property
    def cookie(self) -> str:
        """Its name; browsers give a host's cookies to all of its ports."""
        return f"sldagent-ui-{self.port}"

    @property
    def proof(self) -> str:
        """What the cookie holds: follows from the token, and does not tell it."""
        assert self.token is not None
        return hmac.new(self.token.encode(), b"sldagent ui cookie", hashlib.sha256).hexdigest()


class Guard:
    """The middleware in front of every route."""

    def __init__(self, app: ASGIApp, policy: Policy) -> None:
        self._app = app
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return

        async def sealed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope)
        await (self._app if refusal is None else refusal)(scope, receive, sealed)

    def _refusal(self, scope: Scope) -> Response | None:
        """What to answer instead of the page; None: go on."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._policy.local and not is_loopback(host_of(host)):
            return PlainTextResponse("This page is there for this machine alone: open it as localhost or 127.0.0.1.\n", 421)
        if scope["method"] == "POST" and not _same_origin(headers, host):
            return PlainTextResponse("This form was sent from another site, so it is not taken.\n", 403)
        if self._policy.token is None or scope["path"].startswith("/static/"):
            return None
        return self._let_in(scope, headers)

    def _let_in(self, scope: Scope, headers: Headers) -> Response | None:
        policy = self._policy
        assert policy.token is not None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(name == PARAMETER for name, _ in query):
            if not any(name == PARAMETER and _equal(value, policy.token) for name, value in query):
                return _door("That token is not the one that the server printed.", 403)
            return self._welcome(scope, [pair for pair in query if pair[0] != PARAMETER])
        bearer = headers.get("authorization", "")
        if bearer.startswith("Bearer ") and _equal(bearer.removeprefix("Bearer ").strip(), policy.token):
            return None
        if any(_equal(value, policy.proof) for value in _cookies(headers, policy.cookie)):
            return None
        return _door("This page needs the token that the server printed when it started.", 401)

    def _welcome(self, scope: Scope, rest: Iterable[tuple[str, str]]) -> Response:
        """Set the cookie, and go on to the same address without the token.

        Not by a redirect: a browser that came by a link of another site would not send the cookie along it.
        """
        query = urlencode(list(rest))
        # One slash, so that no path is read as the name of another host.
        target = "/" + scope["path"].lstrip("/\\") + (f"?{query}" if query else "")
        page = f'<!doctype html><meta http-equiv="refresh" content="0;url={escape(target)}"><title>sldagent</title>'
        answer = HTMLResponse(page)
        answer.set_cookie(self._policy.cookie, self._policy.proof, httponly=True, samesite="strict", path="/")
        return answer


def _equal(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())


def _cookies(headers: Headers, name: str) -> list[str]:
    found = []
    for line in headers.getlist("cookie"):
        for part in line.split(";"):  # one by one, so that a malformed cookie of another server hides none of ours
            try:
                morsel = SimpleCookie(part).get(name)
            except CookieError:
                continue
            if morsel is not None:
                found.append(morsel.value)
    return found


def _same_origin(headers: Headers, host: str) -> bool:
    """Whether a browser's own words place the form on this page; programs that say nothing are no browser's victims."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin is None:
        return True
    try:
        return urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _door(words: str, status: int) -> Response:
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>sldagent: token</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/static/ui.css">'
        f'</head><body><main class="door"><h1>sldagent</h1><p>{escape(words)}</p>'
        '<form method="get" action="/"><label for="token">Token</label> <input id="token" name="token" type="password" '
        'autocomplete="off" required> <button>Open</button></form></main></body></html>',
        status,
    )
