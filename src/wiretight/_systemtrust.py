"""Where this system keeps the CA certificates that its programs trust, for an OpenSSL that was not built for it."""

import os

# One file with all of them, in PEM format. Every system has one of these; a link from another one's place, maybe too.
FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older ones of them
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)
# A folder of single ones, named by hash.
FOLDERS = (
    "/etc/ssl/certs",  # Debian, Ubuntu, Alpine, Arch, Gentoo, openSUSE
    "/etc/pki/tls/certs",  # Fedora, RHEL
)


def system_trust() -> tuple[str | None, str | None]:
    """(file, folder): the first that is there now, or None. Since 0.1."""
    return (
        next((path for path in FILES if os.path.isfile(path)), None),  # noqa: PTH113
        next((path for path in FOLDERS if os.path.isdir(path)), None),  # noqa: PTH112
    )
