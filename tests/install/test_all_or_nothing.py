"""install() takes effect as a whole or not at all, and runs no code of other modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.install.program import succeeds

# Everything that install() changes, by identity.
STATE = """
    import sys
    def state():
        import asyncio.selector_events as loops
        modules = {name: module for name, module in sys.modules.items() if not name.startswith("wiretight")}
        found = {("sys.modules", name): id(module) for name, module in modules.items()}
        for name, module in modules.items():
            if type(module) is type(sys) and name != "__main__":
                found.update({(name, key): id(value) for key, value in vars(module).items()})
        standard = __import__("wiretight")._standard.errors.standard
        found.update({("context", key): id(value) for key, value in vars(standard.SSLContext).items()})
        for kind in loops.BaseSelectorEventLoop.__mro__:
            found.update({(kind.__name__, key): id(value) for key, value in vars(kind).items()})
        del found[("sys", "meta_path")]  # another list with the same finders will do
        found.update({("meta_path", at): id(finder) for at, finder in enumerate(sys.meta_path)})
        return found
"""


@pytest.mark.parametrize("step", ["first", "third", "last", "contexts", "loops", "end of loops"])
def test_a_failure_leaves_everything_as_it_was(step: str) -> None:
    succeeds(
        STATE
        + """
    import asyncio, http.client, smtplib, ssl, wiretight
    from wiretight._install import event_loops, import_hook, installation, older_contexts
    context = ssl.create_default_context()
    ssl._create_default_https_context = ssl._create_unverified_context
    own_https = wiretight._create_default_https_context

    def failing(owner, name, at):
        function, calls = getattr(owner, name), []
        def replaced(*args):
            calls.append(None)
            if len(calls) == at:
                raise KeyboardInterrupt
            return function(*args)
        setattr(owner, name, replaced)
        return lambda: setattr(owner, name, function)

    places = len(wiretight.install().rebound)
    wiretight.uninstall()
    step = {
        "first": (installation, "_rebind", 1), "third": (installation, "_rebind", 3),
        "last": (installation, "_rebind", places),
        "contexts": (older_contexts, "install", 1),
        "loops": (import_hook, "install", 1), "end of loops": (event_loops, "install", 1),
    }[sys.argv[1]]
    restore = failing(*step)
    before = state()
    try:
        wiretight.install()
    except KeyboardInterrupt:
        pass
    else:
        raise AssertionError("nothing failed")
    assert state() == before, [key for key in state() if state()[key] != before.get(key)]
    assert wiretight._create_default_https_context is own_https
    restore()
    assert len(wiretight.install().rebound) == places
    assert http.client.ssl is wiretight
        """,
        step,
    )


def test_a_failure_in_the_asyncio_part_is_undone_too() -> None:
    succeeds(
        STATE
        + """
    import asyncio, ssl, wiretight
    from wiretight import _install  # and what it imports
    sys.modules["wiretight._install.event_loops"] = None  # which makes its import raise ImportError
    before = state()
    try:
        wiretight.install()
    except ImportError:
        pass
    else:
        raise AssertionError("nothing failed")
    assert state() == before
    del sys.modules["wiretight._install.event_loops"]
    wiretight.install()
    """
    )


def test_a_lazily_loaded_module_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "lazy.py").write_text("import ssl\nfrom ssl import SSLContext\n")
    succeeds(
        """
        import importlib.util, sys, ssl
        kept = [ssl]
        def lazily(name):
            spec = importlib.util.find_spec(name)
            spec.loader = importlib.util.LazyLoader(spec.loader)
            module = sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module
        lazy = lazily("lazy")
        import wiretight
        wiretight.install().stale()
        wiretight.uninstall()
        wiretight.install()
        assert "SSLContext" not in object.__getattribute__(lazy, "__dict__")
        assert lazy.ssl is wiretight  # loaded here
        wiretight.uninstall()
        assert lazy.ssl is kept[0] and lazy.SSLContext is kept[0].SSLContext
        """,
        folder=tmp_path,
    )


def test_a_failure_leaves_nothing_in_a_module_imported_meanwhile(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("import ssl\nfrom ssl import SSLContext\n")
    succeeds(
        """
        import wiretight
        from wiretight._install import import_hook
        def fail():
            import late
            assert late.ssl is wiretight
            raise KeyboardInterrupt
        import_hook.install = fail
        try:
            wiretight.install()
        except KeyboardInterrupt:
            pass
        import late, ssl
        assert late.ssl is ssl is not wiretight and late.SSLContext is ssl.SSLContext
        """,
        folder=tmp_path,
    )


@pytest.mark.skipif(sys.version_info < (3, 15), reason="lazy imports came with Python 3.15")
def test_a_lazy_import_stays_lazy_and_gets_what_ssl_is_when_it_loads(tmp_path: Path) -> None:
    (tmp_path / "lazy.py").write_text("lazy import ssl\nlazy from ssl import SSLContext\n")
    (tmp_path / "later.py").write_text("lazy import ssl\nlazy from ssl import SSLContext\n")
    succeeds(
        """
        import lazy, later
        kind = type(vars(lazy)["ssl"])
        import wiretight
        wiretight.install().stale()
        assert type(vars(lazy)["ssl"]) is type(vars(lazy)["SSLContext"]) is kind
        assert lazy.ssl is wiretight and lazy.SSLContext is wiretight.SSLContext
        wiretight.uninstall()
        import ssl
        for module in (lazy, later):
            assert module.ssl is ssl is not wiretight and module.SSLContext is ssl.SSLContext
        """,
        folder=tmp_path,
    )


def test_no_module_or_proxy_is_asked_for_attributes() -> None:
    succeeds("""
        import ssl, sys, types
        class Asked(BaseException): pass
        def fail(*args): raise Asked
        class Module(types.ModuleType):
            __eq__ = __hash__ = __getattribute__ = __getattr__ = __dir__ = __bool__ = __repr__ = fail
        class Proxy:
            __eq__ = __hash__ = __getattr__ = __bool__ = fail
            __class__ = property(fail)
        class Meta(type):
            __eq__ = __getattribute__ = fail
            __hash__ = fail
        class Odd(metaclass=Meta): pass
        module, proxy = Module("odd"), Proxy()
        names = types.ModuleType.__dict__["__dict__"].__get__(module)
        names.update(ssl=ssl, proxy=proxy, kind=Odd, pair=(ssl, proxy), many=[proxy], SSLContext=ssl.SSLContext)
        names[1] = ssl
        sys.modules["odd"], sys.modules["proxy"], sys.modules["kind"] = module, proxy, Odd
        sys.modules["nothing"] = None
        before = dict(names)
        import wiretight
        wiretight.install().stale()
        assert names["ssl"] is wiretight and names["SSLContext"] is wiretight.SSLContext
        assert names["pair"][0] is wiretight and names["pair"][1] is proxy
        wiretight.uninstall()
        assert names.keys() == before.keys()
        assert all(names[name] is before[name] for name in names)
    """)


def test_a_context_with_a_custom_getattribute_is_prepared_without_calling_it() -> None:
    succeeds("""
        import ssl
        class Context(ssl.SSLContext):
            def __getattribute__(self, name): raise AssertionError(name)
            def __setattr__(self, name, value): raise AssertionError(name)
        odd = Context.__new__(Context, ssl.PROTOCOL_TLS_CLIENT)
        import wiretight
        wiretight.install()
        wiretight.uninstall()
    """)


def test_a_function_with_an_empty_closure_cell_does_not_break_the_list_of_leftovers(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text(
        "def outer():\n    def inner(): return later\n    globals()['inner'] = inner\n    if not inner: later = 1\n"
        "outer()\n"
    )
    succeeds("import library, wiretight; assert wiretight.install().stale() == []", folder=tmp_path)


def test_a_program_s_patch_of_ssl_is_not_mistaken_for_the_standard_library_s(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("import ssl\ndef make(): pass\nssl._create_default_https_context = make\n")
    succeeds(
        """
        import library, wiretight
        before = [library.make]  # in a list, where install() does not look
        wiretight.install()
        assert [library.make] == before
        assert wiretight._create_default_https_context is before[0]
        """,
        folder=tmp_path,
    )


def test_a_second_name_for_ssl_in_sys_modules_is_rebound_too() -> None:
    succeeds("""
        import sys, ssl
        sys.modules["app.tls"] = ssl
        import wiretight
        wiretight.install()
        assert sys.modules["app.tls"] is wiretight
        wiretight.uninstall()
        assert sys.modules["app.tls"] is sys.modules["ssl"] is not wiretight
    """)


def test_modules_may_appear_disappear_and_change_meanwhile() -> None:
    succeeds("""
        import itertools, sys, threading, types, ssl
        import wiretight
        stop = threading.Event()
        def work(own):
            for number in itertools.cycle(range(100)):
                module = sys.modules[f"{own}{number}"] = types.ModuleType(f"{own}{number}")
                module.ssl = ssl
                vars(module).update({f"name{it}": ssl.SSLContext for it in range(number)})
                module.table = {it: it for it in range(number)}
                del sys.modules[f"{own}{number}"], module.ssl
                if stop.is_set():
                    break
        threads = [threading.Thread(target=work, args=(own,)) for own in "ab"]
        for thread in threads: thread.start()
        try:
            for _ in range(20):
                wiretight.install().stale()
                wiretight.uninstall()
        finally:
            stop.set()
            for thread in threads: thread.join()
    """)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("ssl.SSLContext.wrap_socket = traced(ssl.SSLContext.wrap_socket)", "ssl.SSLContext.wrap_socket"),
        ("ssl.SSLContext._create = traced(len)", "ssl.SSLContext._create"),
        ("ssl.SSLContext.__new__ = traced(ssl.SSLContext.__new__)", "ssl.SSLContext.__new__"),
        ("ssl.SSLContext.verify_mode = ssl.CERT_REQUIRED", "ssl.SSLContext.verify_mode"),
        ("ssl.SSLContext.verify_mode = property(lambda self: 2)", "ssl.SSLContext.verify_mode"),
        ("ssl.SSLContext.sslsocket_class = type('Own', (ssl.SSLSocket,), {})", "ssl.SSLContext.sslsocket_class"),
        ("ssl.SSLSocket.do_handshake = traced(ssl.SSLSocket.do_handshake)", "ssl.SSLSocket.do_handshake"),
        ("ssl.SSLSocket._create = classmethod(lambda *args, **kwargs: None)", "ssl.SSLSocket._create"),
        ("ssl.SSLObject.read = mock.Mock()", "ssl.SSLObject.read"),
        ("ssl.create_default_context = traced(ssl.create_default_context)", "ssl.create_default_context"),
        ("ssl.create_connection = traced(ssl.create_connection)", "ssl.create_connection"),
        ("ssl.get_server_certificate = mock.Mock()", "ssl.get_server_certificate"),
        ("ssl.SSLSocket = type('Own', (ssl.SSLSocket,), {})", "ssl.SSLSocket"),
    ],
)
def test_a_program_s_patch_of_the_standard_ssl_is_not_lost_silently(statement: str, name: str) -> None:
    succeeds(
        STATE
        + f"""
    import functools, ssl
    from unittest import mock
    import wiretight
    def traced(function):
        @functools.wraps(function)
        def call(*args, **options):
            return function(*args, **options)
        return call
    {statement}
    import wiretight._install.installation  # and what it imports
    before = state()
    try:
        wiretight.install()
    except RuntimeError as refusal:
        assert sys.argv[1] in str(refusal), refusal
    else:
        raise AssertionError("it is installed")
    assert state() == before
    """,
        name,
    )


def test_a_replaced_socket_module_is_not_a_patch_of_ssl() -> None:
    succeeds(
        """
        import ssl, socket
        socket.socket = type("Proxied", (socket.socket,), {})
        def create_connection(*args, **options):
            raise OSError
        socket.create_connection = create_connection
        import wiretight
        wiretight.install()
        wiretight.uninstall()
        wiretight.install()
        """
    )
