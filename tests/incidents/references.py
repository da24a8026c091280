"""The public references that the tests of the pack name, and where they can be read."""

from __future__ import annotations

import re

import pytest

# What a reference may look like, and where it is.
FORMS = {
    r"RFC (\d+), \S.*": "https://www.rfc-editor.org/rfc/rfc{}",  # with its section: "RFC 8446, 6.1"
    r"(CVE-\d{4}-\d{4,})": "https://www.cve.org/CVERecord?id={}",
    r"(GHSA(?:-[0-9a-z]{4}){3})": "https://github.com/advisories/{}",
    r"([\w.-]+/[\w.-]+)#(\d+)": "https://github.com/{}/issues/{}",  # GitHub leads on to a pull request
    r"(\w+)\(([137])\)": "https://docs.openssl.org/master/man{1}/{0}/",  # a manual page of OpenSSL
    r"Python, ([\w.]+)": "https://docs.python.org/3/library/ssl.html#{}",  # what the documentation of `ssl` promises
}


def reference(*sources: str) -> pytest.MarkDecorator:
    """Marks a test, a module (`pytestmark`) or a table row (`marks=`) with the public sources of its guarantee."""
    return pytest.mark.reference(*sources)


def link(source: str) -> str:
    """The address of a reference. Raises ValueError for what does not look like one."""
    for form, address in FORMS.items():
        if found := re.fullmatch(form, source):
            return address.format(*found.groups())
    raise ValueError(f"{source!r} is not a public reference: it must look like one of {', '.join(FORMS)}")
