"""Where CA certificates are found on each system, with folders that this test creates."""

from __future__ import annotations

from pathlib import Path

import pytest

from wiretight._core.trust import places

DEBIAN = ("etc/ssl/certs/ca-certificates.crt", "etc/ssl/certs/")
FEDORA = ("etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "etc/pki/tls/certs/")
RHEL_7 = ("etc/pki/tls/certs/ca-bundle.crt", "etc/pki/tls/certs/")
OPENSUSE = ("etc/ssl/ca-bundle.pem", "etc/ssl/certs/")
MACOS = ("etc/ssl/cert.pem", None)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The root of a system that has nothing yet."""
    for name in ("FILES", "FOLDERS"):
        monkeypatch.setattr(places, name, tuple(f"{tmp_path}{path}" for path in getattr(places, name)))
    return tmp_path


def make(root: Path, path: str | None) -> str | None:
    if path is None:
        return None
    if path.endswith("/"):
        (root / path).mkdir(parents=True, exist_ok=True)
    else:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return str(root / path)


@pytest.mark.parametrize(
    "found", [DEBIAN, FEDORA, RHEL_7, OPENSUSE, MACOS], ids=["Debian", "Fedora", "RHEL 7", "openSUSE", "macOS"]
)
def test_each_systems_places_are_known(root: Path, found: tuple[str, str | None]) -> None:
    expected = tuple(make(root, path) for path in found)

    assert places.system_trust() == expected


def test_places_that_appear_later_are_found(root: Path) -> None:
    assert places.system_trust() == (None, None)
    expected = tuple(make(root, path) for path in DEBIAN)

    assert places.system_trust() == expected


def test_a_folder_is_not_a_file(root: Path) -> None:
    make(root, "etc/ssl/cert.pem/")

    assert places.system_trust() == (None, None)
