"""Who may ask for how much: limits, a token for higher ones, and a rate for each client."""

from __future__ import annotations

import hmac
import math
import time
from collections import OrderedDict
from typing import NamedTuple

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kg.errors import LimitError, TokenError
from kg.results import Limits

CLIENTS = 10_000  # that are remembered
SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}


class Settings(NamedTuple):
    """What an operator decides.

    `limits` hold for everybody but those who show `token`; a client may send `rate` requests a
    second that are not answered from what is kept ready (0: any number).
    """

    limits: Limits = Limits()
    token: str | None = None
    rate: float = 0.0

    @property
    def with_token(self) -> Limits:
        """The limits for those who show the token."""
        seconds, memory, rows, size = self.limits
        return Limits(6 * seconds, 4 * memory, 10 * rows, 10 * size)


class Guard:
    """Holds requests against the settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # requests, and when

    def limits(self, scope: Scope) -> Limits:
        """The limits of a request; TokenError for a token that is not the right one."""
        for name, value in scope["headers"]:
            if name == b"authorization":
                kind, _, given = value.partition(b" ")
                right = (self.settings.token or "").encode()
                if not right or kind.lower() != b"bearer":
                    raise TokenError("this server takes no such authorization; leave it out")
                if not hmac.compare_digest(given.strip(), right):
                    raise TokenError("the token is not the right one")
                return self.settings.with_token
        return self.settings.limits

    def admit(self, scope: Scope) -> None:
        """Counts a request of a client; LimitError where there are too many of them."""
        rate = self.settings.rate
        if not rate:
            return
        client, now = (scope.get("client") or ("",))[0], time.monotonic()
        left, since = self._left.pop(client, (2 * rate, now))
        left = min(2 * rate, left + (now - since) * rate)
        self._left[client] = (max(left - 1, 0.0), now)
        if len(self._left) > CLIENTS:
            self._left.popitem(last=False)
        if left < 1:
            raise LimitError(
                f"more than {rate:g} requests a second have come from {client}; ask more slowly",
                "requests",
                retry=math.ceil((1 - left) / rate),
            )


class SecurityHeaders:
    """Adds what a browser is told with every answer, where an answer does not say it itself."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything on."""

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, tell if scope["type"] == "http" else send)
