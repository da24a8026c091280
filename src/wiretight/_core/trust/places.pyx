"""Where this system keeps the CA certificates that its programs trust, for an OpenSSL that was not built for it."""

from wiretight._standard.system import os, stat

# A single file with all of them, in PEM format. Every system has one of these, some also a link at another one's place.
FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch, Gentoo
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # Fedora, RHEL
    "/etc/pki/tls/certs/ca-bundle.crt",  # older versions of these
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS, BSD
)
# A folder with a file for each, named by hash.
FOLDERS = (
    "/etc/ssl/certs",  # Debian, Ubuntu, Alpine, Arch, Gentoo, openSUSE
    "/etc/pki/tls/certs",  # Fedora, RHEL
)


def system_trust():
    """(file, folder): the first of each that exists now, or None. Since 0.1."""
    return first(FILES, stat.S_ISREG), first(FOLDERS, stat.S_ISDIR)


cdef str first(object paths, object is_kind):
    for path in paths:
        try:
            if is_kind(os.stat(path).st_mode):
                return path
        except OSError:
            continue
    return None
