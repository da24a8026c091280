"""The native core, the only part of the package that knows OpenSSL.

All its modules live in one shared library, so that they share one OpenSSL and one error queue. Python finds a module by
its file name, which one file for many modules cannot have; so they are loaded here, each by its own PyInit function.
"""

import sys
from importlib.machinery import ExtensionFileLoader
from importlib.util import find_spec, module_from_spec, spec_from_file_location

# In dependency order: a module that cimports another one finds it in sys.modules. The list of meson.build, as a test
# checks.
MODULES = (
    "tables",
    "errors",
    "random",
    "memorybio",
    "x509names",
    "certificate",
    "ciphers",
    "distrusted",
    "settings",
    "defaults",
    "context",
    "algorithms",
    "resumption",
    "session",
    "credentials",
    "trustedfile",
    "truststore",
    "backlog",
    "descriptor",
    "biopair",
    "wire",
    "connection",
    "callbacks",
    "psk",
    "virtualhost",
    "negotiated",
    "servername",
    "driver",
    "sslsocket",
    "sslcontext",
    "channel",
)


def _load() -> None:
    library = find_spec(f"{__name__}._native")
    if library is None or library.origin is None:
        raise ImportError(
            "wiretight's native library is missing for this Python; install the package (pip install .) "
            "instead of importing it from its source tree"
        )
    for name in MODULES:
        qualified = f"{__name__}.{name}"
        loader = ExtensionFileLoader(qualified, library.origin)
        spec = spec_from_file_location(qualified, library.origin, loader=loader)
        if spec is None:
            raise ImportError(f"{library.origin} cannot be loaded as {qualified}")
        try:
            module = module_from_spec(spec)
            sys.modules[qualified] = module
            loader.exec_module(module)
        except BaseException as error:
            sys.modules.pop(qualified, None)
            if isinstance(error, ImportError) and "interpreter" in str(error):
                raise ImportError(
                    "wiretight works in one interpreter of a process, because its OpenSSL is one for all of them: "
                    "use threads or processes instead of subinterpreters, or the standard ssl in them"
                ) from error
            raise
        globals()[name] = module


_load()
