"""The policy fips-140-3: with OpenSSL's FIPS provider where there is one, and refused where it is not active."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.certificates import Certificates
from tests.kit.changes import use
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE
from wiretight import Policy
from wiretight._core.context.lifecycle import settings_by_name

ROOT = Path(__file__).parents[2]
ACTIVE = "WIRETIGHT_TEST_FIPS" in os.environ

# Debian 13 has the module in a package, openssl-provider-fips; elsewhere it is built with OpenSSL (enable-fips).
PLACES = [
    Path(os.environ.get("WIRETIGHT_FIPS_MODULE", "/nonexistent")),
    *Path("/usr/lib").glob("*/ossl-modules/fips.so"),
    Path("/usr/lib64/ossl-modules/fips.so"),
]
MODULE = next((place for place in PLACES if place.is_file()), None)

CONFIGURATION = """\
openssl_conf = whole
.include {module_configuration}

[whole]
providers = providers

[providers]
default = active
base = active
fips = fips_sect

[active]
activate = 1
"""


@pytest.mark.skipif(ACTIVE, reason="with the provider active, nothing is refused")
@pytest.mark.parametrize("protocol", [tls.PROTOCOL_TLS_CLIENT, tls.PROTOCOL_TLS_SERVER])
def test_without_the_provider_the_policy_is_refused_and_changes_nothing(protocol: object) -> None:
    context = tls.SSLContext(protocol)
    before = settings_by_name(context)
    with pytest.raises(NotImplementedError, match="needs OpenSSL's FIPS provider, which is not active"):
        context.apply_policy(Policy.named("fips-140-3"))
    assert settings_by_name(context) == before
    use(context)


@pytest.mark.timeout(600)
@pytest.mark.skipif(MODULE is None, reason="no FIPS module: WIRETIGHT_FIPS_MODULE names none")
@pytest.mark.skipif(tls.OPENSSL_STATIC, reason="an OpenSSL inside wiretight loads no providers")
@pytest.mark.skipif(ACTIVE, reason="this is such a run")
def test_with_the_provider_the_policy_passes_the_tests_of_policies(tmp_path: Path) -> None:
    included = tmp_path / "fipsmodule.cnf"
    subprocess.run(["openssl", "fipsinstall", "-quiet", "-module", MODULE, "-out", included], check=True)
    configuration = tmp_path / "openssl.cnf"
    configuration.write_text(CONFIGURATION.format(module_configuration=included))
    environment = {
        **os.environ,
        "OPENSSL_CONF": str(configuration),
        "OPENSSL_MODULES": str(MODULE.parent) if MODULE else "",
        "WIRETIGHT_TEST_FIPS": "1",
    }
    files = ["tests/face/test_policies.py", "tests/face/test_fips.py"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "fips", *files]
    run = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=10 * PATIENCE, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


needs_provider = pytest.mark.skipif(not ACTIVE, reason="run by the test above, with the provider active")


@needs_provider
def test_the_ciphers_of_the_connections_come_from_the_provider(certificates: Certificates) -> None:
    """Which does not have ChaCha20 at all."""
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.apply_policy(Policy.named("fips-140-3"))
    with pytest.raises(NotImplementedError, match=r"'fast-1' needs ECDHE-ECDSA-CHACHA20-POLY1305, .*: choose another"):
        context.apply_policy(Policy.named("fast-1"))
    with pytest.raises(NotImplementedError, match="CHACHA20"):
        context.copy().apply_policy(Policy.named("fast-1"))
    certificates.server_context().apply_policy(Policy.named("fast-1"))


@needs_provider
def test_a_context_in_use_cannot_change_to_the_provider() -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    use(context)
    before = settings_by_name(context)
    with pytest.raises(RuntimeError, match="'fips-140-3' must be applied before the first connection of a context"):
        context.apply_policy(Policy.named("fips-140-3"))
    assert settings_by_name(context) == before


@needs_provider
def test_it_can_be_applied_again_and_to_a_copy() -> None:
    context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
    context.apply_policy(Policy.named("fips-140-3"))
    use(context)
    context.apply_policy(Policy.named("fips-140-3"))
    copied = context.copy()
    assert settings_by_name(copied) == settings_by_name(context)
    copied.apply_policy(Policy.named("fips-140-3"))
    use(copied)


@needs_provider
def test_what_was_set_before_stays(certificates: Certificates, tmp_path: Path) -> None:
    context = certificates.server_context(client_ca=certificates.ca_file, alpn=["h2"])
    context.keylog_filename = tmp_path / "keys"
    before = settings_by_name(context)
    context.apply_policy(Policy.named("fips-140-3"))
    for name in ("credentials", "trust", "alpn", "keylog", "verify_mode"):
        assert settings_by_name(context)[name] == before[name]
    use(context)
