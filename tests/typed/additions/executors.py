"""Handshakes in an executor."""

from concurrent.futures import Executor, ThreadPoolExecutor

from typing_extensions import assert_type

import wiretight


def use(context: wiretight.SSLContext, executor: ThreadPoolExecutor) -> None:
    assert_type(context.handshake_executor, Executor | None)
    context.handshake_executor = executor
    context.handshake_executor = None


def misuse(context: wiretight.SSLContext) -> None:
    context.handshake_executor = 4  # type: ignore[assignment]
