"""The settings of an SSLContext, found in the class itself: a new one is in every test of settings from the start."""

from __future__ import annotations

import inspect

from tests.kit.subject import tls

# What can be set, and is no setting of connections: the classes that are made, a limit of accept(), what is gone, a
# session, which is returned, and what the standard class has for Windows.
OTHERS = {
    "sslsocket_class", "sslobject_class", "handshake_timeout", "set_npn_protocols", "load_session",
    "_load_windows_store_certs",
}  # fmt: skip


def is_setter(name: str) -> bool:
    attribute = inspect.getattr_static(tls.SSLContext, name)
    if isinstance(attribute, property):
        return attribute.fset is not None
    if inspect.isgetsetdescriptor(attribute):
        try:
            attribute.__set__(tls.SSLContext(tls.PROTOCOL_TLS_SERVER), object())
        except AttributeError as error:
            return "not writable" not in str(error)
        except (TypeError, ValueError, tls.SSLError):
            pass
        return True
    return callable(attribute) and name.lstrip("_").startswith(("set_", "load_", "add_", "apply_"))


SETTINGS = sorted(
    name for name in dir(tls.SSLContext) if not name.startswith("__") and name not in OTHERS and is_setter(name)
)
