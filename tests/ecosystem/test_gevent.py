"""gevent patches what install() has put in place, and stays cooperative on it."""

from __future__ import annotations

import ssl

import pytest

import wiretight
from tests.ecosystem.families.processes import PROGRAMS, Refused, arguments, command, output
from tests.ecosystem.terms import RUN, Terms

pytest.importorskip("gevent", reason="gevent is not installed")


def test_clients_and_their_server_share_one_thread(certificates):
    server = Terms(RUN, wiretight, certificates, certificates.server, certificates.ca_file)
    said = output(command(wiretight, PROGRAMS / "gevent_streams.py", "both", *arguments(server)))
    assert said.decode().split() == ["True", "wiretight"] * 3


def test_install_is_refused_after_gevent_has_patched():
    program = "from gevent import monkey; monkey.patch_all(); import wiretight; wiretight.install()"
    with pytest.raises(Refused, match=r"gevent.* call wiretight.install\(\) before it"):
        output(command(ssl, "-c", program))
