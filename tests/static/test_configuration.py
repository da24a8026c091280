"""What configures an OpenSSL inside wiretight: a file of its own, or the one that OPENSSL_CONF names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import programs

CONTEXT = "import wiretight; wiretight.SSLContext(wiretight.PROTOCOL_TLS_CLIENT)"
MODULES = (*Path("/usr/lib").glob("*/ossl-modules"), Path("/usr/lib64/ossl-modules"))
POLICY = CONTEXT + '.apply_policy(wiretight.Policy.named("fips-140-3"))'
ACTIVATES = """\
openssl_conf = whole
[whole]
providers = providers
alg_section = algorithms
[providers]
default = active
fips = active
[active]
activate = 1
[algorithms]
"""


@pytest.mark.skipif(sys.platform != "linux", reason="strace")
def test_it_reads_a_file_of_its_own_where_only_root_can_write(tmp_path: Path) -> None:
    cleaned = {name: value for name, value in os.environ.items() if not name.startswith("OPENSSL_")}
    calls = tmp_path / "calls"
    subprocess.run(
        [programs.program("strace", "strace"), "-f", "-e", "trace=file", "-o", calls, sys.executable, "-c", CONTEXT],
        env=cleaned, check=True,
    )  # fmt: skip

    assert "/etc/wiretight/openssl.cnf" in re.findall(r'"([^"]*openssl\.cnf)"', calls.read_text())


@pytest.mark.parametrize(
    ("properties", "program", "refused"),
    [
        ("", POLICY, "NotImplementedError: policy 'fips-140-3' needs OpenSSL's FIPS provider, which is not active"),
        ("default_properties = fips=yes", CONTEXT, "LIBRARY_HAS_NO_CIPHERS"),
    ],
    ids=["by policy", "by configuration"],
)
def test_fips_is_refused_whatever_the_configuration_activates(
    tmp_path: Path, properties: str, program: str, refused: str
) -> None:
    """The provider of the system is the code of another OpenSSL."""
    (tmp_path / "openssl.cnf").write_text(ACTIVATES + properties)
    modules = next((str(folder) for folder in MODULES if folder.is_dir()), "")
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OPENSSL_CONF": str(tmp_path / "openssl.cnf"), "OPENSSL_MODULES": modules},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert refused in done.stderr.splitlines()[-1]
