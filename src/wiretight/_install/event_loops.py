"""install() for asyncio's own event loops: their `ssl=` and start_tls() use the native transport."""

from __future__ import annotations

import sys
from asyncio import Future
from asyncio.selector_events import BaseSelectorEventLoop
from socket import socket
from typing import Any

from wiretight._asyncio.start_tls import upgrade
from wiretight._asyncio.takeover import can_drive
from wiretight._asyncio.transport import SSLTransport

_loops: Any = BaseSelectorEventLoop
_ABSENT = object()


class _Hook:
    """A function that replaces a method of asyncio's loops until it is removed."""

    def __init__(self, name: str, function: Any) -> None:
        self._name = name
        self._own = vars(_loops).get(name, _ABSENT)
        before = getattr(_loops, name)
        self._active = True

        def hooked(loop: Any, *args: Any, **options: Any) -> Any:
            if self._active:
                return function(before, loop, *args, **options)
            return before(loop, *args, **options)  # removed, but somebody has wrapped it, and still calls it

        self._hooked = hooked
        setattr(_loops, name, hooked)

    def remove(self) -> None:
        self._active = False
        if vars(_loops).get(self._name) is not self._hooked:
            return
        if self._own is _ABSENT:
            delattr(_loops, self._name)
        else:
            setattr(_loops, self._name, self._own)


_hooks: list[_Hook] = []


def install() -> None:
    """Makes every selector loop create its TLS transports here. Since 0.1."""
    if not _hooks:
        _hooks.append(_Hook("_make_ssl_transport", _make_ssl_transport))
        _hooks.append(_Hook("start_tls", _start_tls))


def uninstall() -> None:
    """Removes our hooks, and nobody else's; open connections continue. Since 0.1."""
    while _hooks:
        _hooks.pop().remove()


def _make_ssl_transport(
    before: Any,
    loop: Any,
    rawsock: Any,
    protocol: Any,
    sslcontext: Any,
    waiter: Future[None] | None = None,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
    extra: dict[str, Any] | None = None,
    server: Any = None,
    ssl_handshake_timeout: float | None = None,
    ssl_shutdown_timeout: float | None = None,
    **newer: Any,
) -> Any:
    if not sslcontext and not server_side:  # ssl=True: the package's current function, which programs may replace
        sslcontext = sys.modules["wiretight"].create_default_context()
        if not server_hostname:
            sslcontext.check_hostname = False
    if not (can_drive(sslcontext) and isinstance(rawsock, socket)):
        timeouts = {"ssl_handshake_timeout": ssl_handshake_timeout, "ssl_shutdown_timeout": ssl_shutdown_timeout}
        newer.update((name, value) for name, value in timeouts.items() if value is not None)
        return before(
            loop, rawsock, protocol, sslcontext, waiter, server_side=server_side, server_hostname=server_hostname,
            extra=extra, server=server, **newer,
        )  # fmt: skip
    return SSLTransport(
        loop, rawsock, protocol, sslcontext, waiter, server_side=server_side, server_hostname=server_hostname,
        extra=extra, server=server, handshake_timeout=ssl_handshake_timeout, shutdown_timeout=ssl_shutdown_timeout,
        like_asyncio=True,
    )  # fmt: skip


async def _start_tls(before: Any, loop: Any, transport: Any, protocol: Any, sslcontext: Any, **options: Any) -> Any:
    return await upgrade(loop, transport, protocol, sslcontext, like_asyncio=True, fallback=before, **options)
