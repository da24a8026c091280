"""wiretight serves the main interpreter of a process, refuses others, and gets in nobody's way there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import wiretight
from tests.kit.threads import PATIENCE

# run(code) runs it in another interpreter, always the same one, and prints what it raises.
SUBINTERPRETER = """
try:
    import _interpreters as interpreters
    other = interpreters.create()
    def run(code):
        failure = interpreters.exec(other, code)
        if failure:
            print(failure.formatted, flush=True)
except ImportError:
    import _xxsubinterpreters as interpreters
    other = interpreters.create()
    def run(code):
        try:
            interpreters.run_string(other, code)
        except interpreters.RunFailedError as error:
            print(error, flush=True)
"""
REFUSED = "use threads or processes instead of subinterpreters, or the standard ssl in them"


def output_of(program: str) -> str:
    """What it prints, if it ends by itself and without an error."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(wiretight.__file__).parents[1])},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_subinterpreter_gets_an_error_with_alternatives_each_time() -> None:
    imports = """
import wiretight
run("import wiretight")
run("import wiretight.asyncio")
wiretight.create_default_context()
"""
    first, second = output_of(SUBINTERPRETER + imports).splitlines()
    assert "ImportError" in first
    assert REFUSED in first
    assert REFUSED in second


def test_a_subinterpreter_that_comes_first_is_refused_and_the_main_one_is_served() -> None:
    imports = """
run("import wiretight")
import wiretight
print(wiretight.create_default_context().verify_mode.name)
"""
    first, second = output_of(SUBINTERPRETER + imports).splitlines()
    assert REFUSED in first
    assert second == "CERT_REQUIRED"


def test_the_standard_ssl_can_be_used_in_a_subinterpreter() -> None:
    contexts = """
import wiretight
wiretight.create_default_context()
run("import ssl; ssl.create_default_context()")
print("done")
"""
    assert output_of(SUBINTERPRETER + contexts) == "done\n"


def test_other_libraries_may_free_their_contexts_after_the_interpreter_has_ended() -> None:
    program = """
import ctypes, ssl, wiretight
wiretight.create_default_context()
with open("/proc/self/maps") as maps:
    path = next((line.split()[-1] for line in maps if "/libssl" in line), None)
if path:
    library, libc = ctypes.CDLL(path), ctypes.CDLL(None)
    library.TLS_method.restype = library.SSL_CTX_new.restype = ctypes.c_void_p
    library.SSL_CTX_new.argtypes = [ctypes.c_void_p]
    libc.__cxa_atexit.argtypes = [ctypes.c_void_p] * 3
    context = library.SSL_CTX_new(library.TLS_method())
    libc.__cxa_atexit(ctypes.cast(library.SSL_CTX_free, ctypes.c_void_p), context, None)
print("done")
"""
    assert output_of(program) == "done\n"


def test_an_interpreter_that_starts_after_the_end_of_the_first_is_refused() -> None:
    program = '''
import ctypes, sys, wiretight
again = f"""
import sys
sys.path[:] = {sys.path}
try:
    import wiretight
except ImportError as error:
    print(error, flush=True)
"""
libc, python = ctypes.CDLL(None), ctypes.pythonapi
libc.strdup.restype, libc.strdup.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
libc.__cxa_atexit.argtypes = [ctypes.c_void_p] * 3
# Called after Python's own end, the last one first.
libc.__cxa_atexit(ctypes.cast(python.PyRun_SimpleString, ctypes.c_void_p), libc.strdup(again.encode()), None)
libc.__cxa_atexit(ctypes.cast(python.Py_Initialize, ctypes.c_void_p), None, None)
'''
    assert "wiretight cannot be imported again in a process whose interpreter has ended" in output_of(program)
