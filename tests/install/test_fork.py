"""install() and uninstall() in a child that was forked while another thread was calling them."""

from __future__ import annotations

from tests.install.program import succeeds


def test_a_forked_child_may_call_both_although_a_thread_was_inside_one() -> None:
    succeeds("""
        import os, threading, wiretight
        from wiretight._install import import_hook, installation
        held, go = threading.Event(), threading.Event()
        def work():
            with installation._lock, import_hook._lock:
                held.set()
                go.wait()
        thread = threading.Thread(target=work)
        thread.start()
        held.wait()
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with threads, since Python 3.12
        child = os.fork()
        if not child:
            wiretight.install()
            wiretight.uninstall()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        go.set()
        thread.join()
    """)
