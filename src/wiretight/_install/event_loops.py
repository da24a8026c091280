"""install() for asyncio's own event loops: their `ssl=` and start_tls() use the native transport."""

from __future__ import annotations

from asyncio import Future
from asyncio.selector_events import BaseSelectorEventLoop
from typing import Any

from wiretight._asyncio.start_tls import upgrade
from wiretight._asyncio.takeover import can_drive
from wiretight._asyncio.transport import SSLTransport
from wiretight._install.hook import Hook
from wiretight._standard.system import PlainSocket
from wiretight._tls.defaults import package

_hooks: list[Hook] = []


def install() -> None:
    """Makes every selector loop create its TLS transports here. Since 0.1."""
    if not _hooks:
        _replace("_make_ssl_transport", _make_ssl_transport)
        _replace("start_tls", _start_tls)


def uninstall() -> None:
    """Removes our hooks, and nobody else's; open connections continue. Since 0.1."""
    while _hooks:
        _hooks.pop().remove()


def _replace(name: str, function: Any) -> None:
    # In the class that defines it, so that a later patch by a program covers ours and is not hidden by it.
    owner = next(kind for kind in BaseSelectorEventLoop.__mro__ if name in vars(kind))
    _hooks.append(Hook(owner, name, function))


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
    if not sslcontext and not server_side:  # ssl=True: the function that the package has under this name now
        sslcontext = package().create_default_context()
        if not server_hostname:
            sslcontext.check_hostname = False
    if not (can_drive(sslcontext) and isinstance(rawsock, PlainSocket)):
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
