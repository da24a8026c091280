"""install() and uninstall(): what they reach, and what they leave alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install.program import succeeds


def test_modules_imported_before_and_after_get_wiretight() -> None:
    succeeds("""
        import http.client, asyncio.sslproto
        import wiretight
        wiretight.install()
        import ssl, _ssl, urllib.request, smtplib
        assert ssl is wiretight and _ssl is wiretight._ssl
        for module in (http.client, asyncio.sslproto, urllib.request, smtplib):
            assert module.ssl is wiretight, module
    """)


def test_names_imported_from_ssl_and_tuples_of_them_are_rebound(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(
        "import ssl as tls\n"
        "from ssl import SSLContext, SSLError, create_default_context as make, OP_NO_TICKET\n"
        "ALLOWED = (SSLContext, bool, type(None))\n"
    )
    succeeds(
        """
        import library
        before = dict(vars(library))
        import wiretight
        wiretight.install()
        assert library.tls is wiretight
        assert library.SSLContext is wiretight.SSLContext
        assert library.make is wiretight.create_default_context
        assert library.ALLOWED == (wiretight.SSLContext, bool, type(None))
        assert library.SSLError is before["SSLError"] and library.OP_NO_TICKET is before["OP_NO_TICKET"]
        wiretight.uninstall()
        assert dict(vars(library)) == before
        """,
        folder=tmp_path,
    )


def test_the_standard_module_only_changes_in_which_bios_its_contexts_accept() -> None:
    succeeds("""
        import ssl, _ssl
        kept = [ssl, _ssl, ssl.SSLContext, ssl.SSLSocket, ssl.SSLObject]
        import wiretight
        def everything():
            return {(owner.__name__, name, id(value)) for owner in kept for name, value in vars(owner).items()}
        before = everything()
        wiretight.install()
        assert ssl is wiretight and kept[0] is not wiretight
        assert {(owner, name) for owner, name, _ in everything() ^ before} == {("SSLContext", "_wrap_bio")}
        wiretight.uninstall()
        assert everything() == before
    """)


def test_the_loops_methods_look_like_those_that_they_stand_for() -> None:
    """So that a library's test may put a double of the same kind in their place."""
    succeeds("""
        import asyncio, inspect
        from unittest import mock
        loop = asyncio.SelectorEventLoop
        def everything():
            return {
                name: (inspect.iscoroutinefunction(value), inspect.signature(value), value.__qualname__)
                for name, value in inspect.getmembers(loop, inspect.isfunction)
            }
        before, methods = everything(), dict(inspect.getmembers(loop))
        import wiretight
        wiretight.install()
        replaced = {name for name, value in inspect.getmembers(loop) if methods[name] is not value}
        assert replaced > {"start_tls"}
        assert everything() == before
        async def upgraded():
            return await mock.create_autospec(loop.start_tls, return_value="upgraded")(loop, None, None, None)
        assert asyncio.run(upgraded()) == "upgraded"
    """)


def test_uninstall_reaches_modules_imported_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "taken.py").write_text("import ssl\nfrom ssl import SSLContext\n")
    (tmp_path / "chosen.py").write_text("import wiretight as ssl\nfrom wiretight import SSLContext\n")
    succeeds(
        """
        import ssl as standard, sys
        kept = [standard]  # in a list, where install() does not look
        import wiretight
        wiretight.install()
        import taken, chosen
        assert taken.ssl is chosen.ssl is wiretight
        wiretight.uninstall()
        assert standard is kept[0] and sys.modules["ssl"] is kept[0] and sys.modules["_ssl"] is kept[0]._ssl
        assert taken.ssl is standard and taken.SSLContext is standard.SSLContext
        assert chosen.ssl is wiretight and chosen.SSLContext is wiretight.SSLContext
        """,
        folder=tmp_path,
    )


def test_a_second_call_changes_nothing() -> None:
    succeeds("""
        import wiretight
        wiretight.uninstall()
        first = wiretight.install()
        assert wiretight.install() is first
        wiretight.uninstall()
        wiretight.uninstall()
        import ssl
        assert ssl is not wiretight
    """)


def test_threads_may_call_both_at_once() -> None:
    succeeds("""
        import threading, http.client, wiretight
        def work():
            for _ in range(20):
                wiretight.install()
                wiretight.uninstall()
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        import ssl
        assert ssl is http.client.ssl is not wiretight
    """)


def test_a_function_that_the_program_added_to_ssl_keeps_working() -> None:
    succeeds("""
        import ssl
        def mine(): raise NotImplementedError
        ssl._create_default_https_context = mine
        ssl._create_stdlib_context = ssl.create_default_context
        import wiretight
        before = wiretight._create_default_https_context
        wiretight.install()
        assert wiretight._create_default_https_context is mine
        assert wiretight._create_stdlib_context is wiretight.create_default_context
        wiretight.uninstall()
        assert wiretight._create_default_https_context is before
    """)


@pytest.mark.parametrize("patcher", ["gevent.ssl", "eventlet.green.ssl", "truststore._api"])
def test_it_refuses_to_run_after_another_patcher_of_ssl(patcher: str) -> None:
    succeeds(
        """
        import ssl, sys
        class Patched(ssl.SSLContext): pass
        Patched.__module__ = sys.argv[1]
        ssl.SSLContext = Patched
        import wiretight
        try:
            wiretight.install()
        except RuntimeError as refusal:
            assert sys.argv[1] in str(refusal) and "before" in str(refusal)
        else:
            raise AssertionError("it did not refuse")
        assert sys.modules["ssl"] is ssl
        """,
        patcher,
    )


def test_leftover_references_are_reported(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(
        "import ssl\n"
        "class Context(ssl.SSLContext): pass\n"
        "class Pool:\n"
        "    kind = ssl.SSLContext\n"
        "    def get(self, make=ssl.create_default_context): pass\n"
        "def outer():\n"
        "    kind = ssl.SSLSocket\n"
        "    return lambda: kind\n"
        "inner = outer()\n"
        "table = {'tls': ssl.MemoryBIO}\n"
        "READY = ssl.create_default_context()\n"
    )
    succeeds(
        """
        import library, wiretight
        stale = [reference for reference in wiretight.install().stale() if reference.where.startswith("library.")]
        assert stale == [
            ("library.Context", "ssl.SSLContext", "base class"),
            ("library.Pool.get", "ssl.create_default_context", "default argument"),
            ("library.Pool.kind", "ssl.SSLContext", "class attribute"),
            ("library.READY", "a context that the standard ssl made", "global"),
            ("library.inner, kind", "ssl.SSLSocket", "closure"),
            ("library.table", "ssl.MemoryBIO", "in a dict"),
        ], stale
        """,
        folder=tmp_path,
    )


def test_no_reference_to_the_standard_ssl_is_left_in_the_standard_library() -> None:
    succeeds("""
        import asyncio, ftplib, http.client, http.server, imaplib, logging.handlers, poplib, smtplib, urllib.request
        import xmlrpc.client, socketserver
        import wiretight
        assert wiretight.install().stale() == []
    """)


def test_import_star_of_ssl_gives_the_same_names_as_before() -> None:
    succeeds("""
        before, after = {}, {}
        exec("from ssl import *", before)
        import wiretight
        wiretight.install()
        exec("from ssl import *", after)
        assert before.keys() - after.keys() <= {"RAND_egd"}, before.keys() - after.keys()
        assert after["SSLContext"] is wiretight.SSLContext
        assert after["socket"] is before["socket"] and after["os"] is before["os"]
        assert "install" not in after
    """)


def test_the_standard_ssl_can_be_imported_again() -> None:
    """As test.support.import_fresh_module() does: the source of `ssl` imports what it needs from `_ssl`."""
    succeeds(
        """
        import wiretight
        wiretight.install()
        import sys
        del sys.modules["ssl"]
        import ssl
        assert ssl is not wiretight
        ssl.create_default_context()
        """
    )


def test_importing_wiretight_anew_while_it_is_installed_says_what_to_do() -> None:
    succeeds(
        """
        import ssl, sys, wiretight
        wiretight.install()
        removed = {name: sys.modules.pop(name) for name in list(sys.modules) if name.startswith("wiretight")}
        try:
            import wiretight
        except ImportError as error:
            assert "put its modules back into sys.modules" in str(error)
        sys.modules.update(removed)
        removed["wiretight"].uninstall()
        assert ssl.SSLContext.__module__ == "ssl"
        """
    )
