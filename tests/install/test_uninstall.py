"""uninstall(): wiretight stays only where it was imported by its own name, and no one else's patch is removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install.program import python, succeeds


def test_the_program_that_calls_it_has_the_standard_ssl_again(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        "import wiretight\n"
        "import wiretight as tls\n"
        "wiretight.install()\n"
        "import ssl\n"
        "from ssl import SSLContext, create_default_context as make\n"
        "from wiretight import SSLSocket, SSLContext as Ours\n"
        "assert ssl is wiretight and make is wiretight.create_default_context\n"
        "wiretight.uninstall()\n"
        "assert ssl is not wiretight and ssl.SSLContext is SSLContext and make is ssl.create_default_context\n"
        "assert tls is wiretight and tls.SSLSocket is SSLSocket and tls.SSLContext is Ours is not SSLContext\n"
    )
    done = python("-W", "error", program)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_module_half_loaded_during_install_has_it_again_too(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        "import start\nimport ssl\nfrom ssl import *\nfrom ssl import SSLContext as Context\nKINDS = (Context, int)\n"
    )
    (tmp_path / "start.py").write_text("import wiretight\nwiretight.install()\n")
    succeeds(
        """
        import app, wiretight
        assert app.ssl is wiretight and app.Context is app.SSLContext is wiretight.SSLContext
        wiretight.uninstall()
        import ssl
        assert ssl is not wiretight
        assert app.ssl is ssl and app.Context is app.SSLContext is ssl.SSLContext and app.KINDS == (ssl.SSLContext, int)
        assert app.create_default_context is ssl.create_default_context
        """,
        folder=tmp_path,
    )


def test_a_module_being_imported_by_another_thread_has_it_again_too(tmp_path: Path) -> None:
    (tmp_path / "gate.py").write_text("import threading\nreached, go = threading.Event(), threading.Event()\n")
    (tmp_path / "slow.py").write_text(
        "from ssl import SSLError, SSLObject\nimport gate\ngate.reached.set()\ngate.go.wait()\n"
        "import ssl\nfrom ssl import SSLContext\n"
    )
    succeeds(
        """
        import sys, threading, gate, wiretight
        def importing():
            gate.reached.clear(), gate.go.clear()
            thread = threading.Thread(target=__import__, args=("slow",))
            thread.start()
            gate.reached.wait()
            return thread
        thread = importing()
        wiretight.install()
        gate.go.set()
        thread.join()
        slow = sys.modules["slow"]
        ours = wiretight.SSLContext, wiretight.SSLObject
        assert slow.ssl is wiretight and (slow.SSLContext, slow.SSLObject) == ours
        wiretight.uninstall()
        import ssl
        assert (slow.ssl, slow.SSLContext, slow.SSLObject) == (ssl, ssl.SSLContext, ssl.SSLObject)

        del sys.modules["slow"], ssl
        wiretight.install()
        thread = importing()
        wiretight.uninstall()
        gate.go.set()
        thread.join()
        slow = sys.modules["slow"]
        import ssl
        assert (slow.ssl, slow.SSLContext, slow.SSLObject) == (ssl, ssl.SSLContext, ssl.SSLObject)
        """,
        folder=tmp_path,
    )


def test_threads_may_import_all_the_time(tmp_path: Path) -> None:
    for number in range(300):
        (tmp_path / f"module{number}.py").write_text(
            "import ssl\nfrom ssl import SSLContext\nPAIR = (SSLContext, ssl)\n"
        )
    succeeds(
        """
        import sys, threading, wiretight
        from importlib import import_module
        def work(numbers):
            for number in numbers:
                import_module(f"module{number}")
        threads = [threading.Thread(target=work, args=(range(start, 300, 3),)) for start in range(3)]
        for thread in threads: thread.start()
        while any(thread.is_alive() for thread in threads):
            wiretight.install()
            wiretight.uninstall()
        for installed in (True, False):
            wiretight.install() if installed else wiretight.uninstall()
            ssl = import_module("ssl")
            assert (ssl is wiretight) is installed
            for number in range(300):
                module = sys.modules[f"module{number}"]
                assert (module.ssl, module.SSLContext, module.PAIR) == (ssl, ssl.SSLContext, (ssl.SSLContext, ssl))
        """,
        folder=tmp_path,
    )


def test_a_comment_or_docstring_that_mentions_wiretight_does_not_count_as_an_import(tmp_path: Path) -> None:
    plain = "import ssl\nContext = ssl.SSLContext\nmake = ssl.create_default_context\n"
    (tmp_path / "commented.py").write_text(f"# tested with ssl and wiretight\n{plain}")
    (tmp_path / "documented.py").write_text(f'"""For wiretight, too."""\n{plain}def f():\n    "wiretight"\n')
    (tmp_path / "asking.py").write_text(f"import sys\n{plain}ssl = sys.modules['wiretight']\n")
    succeeds(
        """
        import wiretight
        wiretight.install()
        import asking, commented, documented
        wiretight.uninstall()
        import ssl
        for module in (commented, documented):
            assert (module.ssl, module.Context, module.make) == (ssl, ssl.SSLContext, ssl.create_default_context)
        assert asking.ssl is wiretight
        """,
        folder=tmp_path,
    )


def test_a_later_patch_stays_in_place(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("import ssl\nfrom ssl import SSLContext\n")
    succeeds(
        """
        import library, sys, types, wiretight
        wiretight.install()
        mine = types.ModuleType("ssl")
        sys.modules["ssl"] = library.ssl = mine
        wiretight._create_default_https_context = make = lambda: None
        wiretight.uninstall()
        assert sys.modules["ssl"] is library.ssl is mine
        assert library.SSLContext is not wiretight.SSLContext
        assert wiretight._create_default_https_context is make
        """,
        folder=tmp_path,
    )


def test_a_second_name_for_wiretight_is_left_unchanged() -> None:
    succeeds("""
        import sys, wiretight
        wiretight.install()
        sys.modules["app.tls"] = wiretight
        before = dict(vars(wiretight))
        wiretight.uninstall()
        assert vars(wiretight) == before
        assert sys.modules["app.tls"] is sys.modules["ssl"]
    """)


def test_a_loader_without_source_does_no_harm() -> None:
    succeeds("""
        import importlib.machinery, sys, types, wiretight
        wiretight.install()
        class Loader:
            def get_source(self, name): raise RuntimeError
        made = types.ModuleType("made")
        made.__spec__ = importlib.machinery.ModuleSpec("made", Loader())
        exec("import ssl", vars(made))
        sys.modules["made"] = made
        wiretight.uninstall()
        assert made.ssl is sys.modules["ssl"] is not wiretight
    """)


def test_standard_contexts_accept_only_standard_bios_again() -> None:
    succeeds("""
        import ssl
        before, contexts = dict(vars(ssl.SSLContext)), [ssl.create_default_context()]
        attributes = dict(vars(contexts[0]))
        import wiretight
        wiretight.install()
        contexts[0].wrap_bio(wiretight.MemoryBIO(), wiretight.MemoryBIO(), server_hostname="localhost")
        wiretight.uninstall()
        assert vars(ssl.SSLContext) == before and vars(contexts[0]) == attributes
    """)


PATCHED = """
    import asyncio, ssl
    from asyncio.selector_events import BaseSelectorEventLoop as Loop
    import wiretight
    names = ("_make_ssl_transport", "start_tls")
    def own():
        return {name: vars(Loop).get(name) for name in names}
    def around(name):
        before = getattr(Loop, name)
        def patch(*args, **options):
            calls.append(name)
            return before(*args, **options)
        setattr(Loop, name, patch)
        return patch
    calls = []
"""


@pytest.mark.parametrize("name", ["_make_ssl_transport", "start_tls"])
def test_asyncio_s_loops_keep_earlier_patches(name: str) -> None:
    succeeds(
        PATCHED
        + """
    import sys
    wiretight.install()
    wiretight.uninstall()
    patch = around(sys.argv[1])
    before = own()
    wiretight.install()
    assert own()[sys.argv[1]] is not patch
    wiretight.uninstall()
    assert own() == before
    """,
        name,
    )


@pytest.mark.parametrize("name", ["_make_ssl_transport", "start_tls"])
def test_asyncio_s_loops_keep_later_patches(name: str) -> None:
    succeeds(
        PATCHED
        + """
    import sys
    name = sys.argv[1]
    other = next(it for it in names if it != name)
    before = own()
    wiretight.install()
    patch = around(name)
    wiretight.uninstall()
    assert own() == {name: patch, other: before[other]}
    wiretight.install()
    wiretight.uninstall()
    assert own() == {name: patch, other: before[other]}
    """,
        name,
    )


def test_a_patch_around_wiretight_s_keeps_working() -> None:
    succeeds(
        PATCHED
        + """
    import socket
    context = wiretight.create_default_context()
    async def kind():
        loop = asyncio.get_running_loop()
        near, far = socket.socketpair()
        with far:
            near.setblocking(False)
            transport = loop._make_ssl_transport(near, asyncio.Protocol(), context, server_hostname="localhost")
            transport.abort()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return type(transport).__module__.startswith("wiretight")

    wiretight.install()
    around("_make_ssl_transport")
    assert asyncio.run(kind()) and len(calls) == 1
    wiretight.uninstall()
    assert not asyncio.run(kind()) and len(calls) == 2
    wiretight.install()
    assert asyncio.run(kind())
    """
    )


FINDER = """
    import sys
    before = [*sys.meta_path]
    import wiretight
    wiretight.install()
    class Finder:
        @staticmethod
        def find_spec(*args): return None
    sys.meta_path.insert(0, Finder)
"""


def test_the_import_system_keeps_no_trace() -> None:
    succeeds(
        FINDER
        + """
    import asyncio.selector_events as loops, importlib
    assert sys.meta_path == [Finder, *before]
    spec = loops.__spec__
    assert loops.__loader__ is spec.loader and type(spec.loader) is importlib.machinery.SourceFileLoader
    assert "exec_module" not in vars(spec.loader)
    own = loops.BaseSelectorEventLoop._make_ssl_transport
    wiretight.uninstall()
    assert own is not loops.BaseSelectorEventLoop._make_ssl_transport
    importlib.reload(loops)
    assert loops.BaseSelectorEventLoop._make_ssl_transport.__module__ == loops.__name__
    assert loops.BaseSelectorEventLoop.start_tls.__module__ == "asyncio.base_events"
    """
    )


def test_find_spec_of_asyncio_works_before_its_import() -> None:
    succeeds("""
        import importlib.util, sys, wiretight
        wiretight.install()
        spec = importlib.util.find_spec("asyncio.selector_events")
        assert "class BaseSelectorEventLoop" in spec.loader.get_source(spec.name)
        wiretight.uninstall()
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert type(module.__loader__) is type(spec.loader) is importlib.machinery.SourceFileLoader
        assert module.BaseSelectorEventLoop.start_tls.__module__ == "asyncio.base_events"
    """)


def test_our_finder_is_removed_and_others_stay() -> None:
    succeeds(FINDER + "    wiretight.uninstall()\n    assert sys.meta_path == [Finder, *before]\n")


def test_what_another_thread_changes_among_the_finders_meanwhile_stays() -> None:
    succeeds(
        FINDER
        + """
    class Other(Finder): pass
    class Changing(list):
        def __iter__(self):
            yield from [*super().__iter__()]
            if Finder in self:  # what a thread would do that runs now
                self.remove(Finder)
                self.insert(0, Other)
    uninstall = wiretight.uninstall  # which imports
    sys.meta_path = Changing(sys.meta_path)
    uninstall()
    assert sys.meta_path == [Other, *before], sys.meta_path
    """
    )


@pytest.mark.parametrize("uninstalled", [False, True], ids=["installed", "uninstalled"])
def test_asyncio_may_be_half_imported(uninstalled: bool) -> None:
    succeeds(
        """
        import sys, wiretight
        from importlib.machinery import PathFinder
        class Finder:
            def find_spec(self, name, path, target=None):
                if name != "asyncio.selector_events":
                    return None
                spec = PathFinder.find_spec(name, path, target)
                run = spec.loader.exec_module
                def exec_module(module):
                    wiretight.install()
                    if sys.argv[1] == "True":
                        wiretight.uninstall()
                    run(module)
                spec.loader.exec_module = exec_module
                return spec
        finder = Finder()
        sys.meta_path.insert(0, finder)
        import asyncio.selector_events as loops
        sys.meta_path.remove(finder)
        import wave  # anything
        own = loops.BaseSelectorEventLoop.start_tls.__module__ == "asyncio.base_events"
        assert own is (sys.argv[1] == "True")
        assert not any(type(finder).__module__.startswith("wiretight") for finder in sys.meta_path)
        """,
        uninstalled,
    )


def test_a_lazy_asyncio_is_served_when_it_is_loaded() -> None:
    succeeds("""
        import importlib.util, sys, wiretight
        wiretight.install()
        class Lazily:
            def find_spec(self, name, path, target=None):
                if name != "asyncio.selector_events":
                    return None
                spec = importlib.machinery.PathFinder.find_spec(name, path, target)
                spec.loader = importlib.util.LazyLoader(spec.loader)
                return spec
        sys.meta_path.insert(1, Lazily())
        import asyncio
        loops = sys.modules["asyncio.selector_events"]
        loops.BaseSelectorEventLoop
        import wave  # anything
        assert loops.BaseSelectorEventLoop.start_tls.__module__ != "asyncio.base_events"
    """)
