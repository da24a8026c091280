"""Facts stated in two places agree, and files stay short enough to be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.repo.source import CORE, PACKAGE, ROOT, functions, meson_list, module_name, sources
from wiretight import _core

LONGEST = 500
COMPREHENSION = re.compile(r"[\[{].*\bfor \w+(, \w+)* in\b|^ +for \w+(, \w+)* in .*[^:(]$", re.MULTILINE)
FRAGMENT = re.compile(r"(\d+|\+[\w-]+)\.(security|added|changed|fixed|removed)(\.\d+)?\.md")


@pytest.mark.parametrize("path", sources(".py", ".pyx", ".pxd", ".pyi", ".h"), ids=lambda path: path.name)
def test_a_file_of_the_package_is_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST, f"{path} is two things: give the second one a file"


def test_every_module_of_the_core_is_built_and_loaded() -> None:
    files = {str(path.relative_to(CORE).with_suffix("")) for path in sources(".pyx")}

    assert files == set(meson_list(CORE / "meson.build", "modules"))
    assert files == {name.replace(".", "/") for name in _core.MODULES}


def test_module_names_of_the_core_are_unique() -> None:
    names = [path.stem for path in sources(".pyx")]

    assert len(names) == len(set(names))


def test_every_python_file_is_installed() -> None:
    names = meson_list(PACKAGE / "meson.build", "installed") + meson_list(PACKAGE / "meson.build", "folders")
    files = {path.relative_to(PACKAGE).parts[0] for path in sources(".py", ".typed")}

    assert files - {"_core"} == set(names)


def test_every_module_that_the_face_uses_has_a_stub() -> None:
    python = "\n".join(path.read_text() for path in sources(".py"))
    used = set(re.findall(r"from wiretight\._core\.([\w.]+) import", python))
    assert used <= {module_name(path).removeprefix("_core.") for path in sources(".pyi", ".py")}


def test_the_scripts_use_the_packages_build_requirements() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    required, group = (
        re.search(rf"^{key} = \[(.*?)\]", pyproject, re.MULTILINE | re.DOTALL) for key in ("requires", "build")
    )
    assert required
    assert group
    assert set(re.findall(r'"[^"]+"', required[1])) <= set(re.findall(r'"[^"]+"', group[1]))


def test_a_fragment_of_the_changelog_has_a_name_that_towncrier_reads() -> None:
    fragments = [path.name for path in (ROOT / "changelog").iterdir() if path.name != "README.md"]
    assert fragments
    assert all(FRAGMENT.fullmatch(name) for name in fragments)


def test_no_key_or_certificate_lies_in_the_root() -> None:
    """The commands of the README, tried in a clone, leave such files there."""
    assert not [path.name for path in ROOT.iterdir() if path.suffix in {".pem", ".key", ".crt", ".p12"}]


def test_the_changelog_has_the_line_after_which_towncrier_writes() -> None:
    assert "<!-- towncrier release notes start -->\n" in (ROOT / "CHANGELOG.md").read_text()


def test_the_core_has_no_comprehensions() -> None:
    """Cython 3.3 frees an item twice where the list cannot grow (cython/cython#7748); append() is right everywhere."""
    found = [path.name for path in sources(".pyx") if COMPREHENSION.search(path.read_text())]
    assert found == []


def test_no_state_of_a_handshake_is_compiled_into_the_core() -> None:
    """OpenSSL 3.2 renumbered OSSL_HANDSHAKE_STATE, and a core that was built with older headers runs with it, too."""
    assert not [path.name for path in sources(".pyx", ".pxd", ".h", under=CORE) if "TLS_ST_" in path.read_text()]


def test_a_destructor_calls_no_method_that_may_be_overridden() -> None:
    """Of an object whose constructor has failed, the table of methods is a base class's, or not there."""
    found = []
    for path in sources(".pyx"):
        text = path.read_text()
        for destructor in (function for function in functions(text) if function.name == "__dealloc__"):
            before = "\n".join(text.split("\n")[: destructor.line])
            decorators = before[: before.rindex("cdef class ")].rstrip().rpartition("\n\n")[2]
            if re.search(r"\bself\.\w+\(", destructor.code) and "@final" not in decorators:
                found.append(f"{path.name}:{destructor.line}")
    assert found == []


OPENSSL_CALL = re.compile(r"\b(?:ASN1|BIO|CRYPTO|ERR|EVP|OPENSSL|OSSL|PEM|PKCS12|SSL|X509|d2i|i2d|sk)_\w+\(")


def test_a_gate_encloses_all_that_openssl_does_without_the_gil() -> None:
    """A child of a fork would find the lock of the call that is outside."""
    found = []
    for path in sources(".pyx"):
        for block in re.findall(r"^( +)with nogil:\n((?:\1 +.*\n|\n)+)", path.read_text(), re.MULTILINE):
            before, entered, rest = block[1].partition("wt_gate_enter(")
            if entered:
                outside = before + rest.rpartition("wt_gate_leave(")[2]
                found += [f"{path.name}: {call}" for call in OPENSSL_CALL.findall(outside)]
    assert found == []
