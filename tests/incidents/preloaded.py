"""The preloaded tests/incidents/faults.c. Imported before anything that loads OpenSSL."""

from __future__ import annotations

import ctypes
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

faults = ctypes.CDLL(None)
faults.faults_calls_made.restype = ctypes.c_long
faults.faults_allocations_made.restype = ctypes.c_long
call = ctypes.PyDLL(None).faults_call
call.restype = ctypes.py_object
call.argtypes = (ctypes.c_long, ctypes.py_object, ctypes.py_object)
spare = ctypes.PyDLL(None).faults_spare


def core_library() -> Path:
    """Found without importing the package: OpenSSL's allocator must be set before its first allocation."""
    spec = importlib.util.find_spec("wiretight")
    assert spec is not None
    assert spec.submodule_search_locations
    (found,) = Path(spec.submodule_search_locations[0], "_core").glob("_native*.so")
    return found


def scope_the_core() -> None:
    """Has only what the core does itself fail."""
    ranges = [
        [int(number, 16) for number in line.split()[0].split("-")]
        for line in Path("/proc/self/maps").read_text().splitlines()
        if line.endswith(core_library().name)
    ]
    faults.faults_scope(ctypes.c_size_t(min(ranges)[0]), ctypes.c_size_t(max(ranges)[1]))


def put_allocator_under_openssl() -> bool:
    """False where OpenSSL is inside the core: its allocations are the core's own then."""
    core = ctypes.CDLL(str(core_library()))
    return hasattr(core, "CRYPTO_set_mem_functions") and bool(
        core.CRYPTO_set_mem_functions(
            faults.faults_openssl_malloc, faults.faults_openssl_realloc, faults.faults_openssl_free
        )
    )


def starved(at: int, operation: Callable[..., Any], *args: Any) -> Any:
    """Calls with allocation number `at` of those that this thread makes failing; with none for a negative number."""
    return call(at, operation, args)


def spared(operation: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """Calls another project's operation inside starved(): that has memory, or else it is not begun."""
    spare(1)
    try:
        return operation(*args, **options)
    finally:
        spare(0)


def allocations_made() -> int:
    """In the last call of starved()."""
    return int(faults.faults_allocations_made())


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))
