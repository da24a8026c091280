"""The shared library of a wheel has what limits a mistake in memory, and says nothing of the machine that built it."""

from __future__ import annotations

import json
import platform
import re
import sys
from pathlib import Path

import pytest

import wiretight
from tests.static.library import LIBRARY, output_of, symbols

INSTALLED = Path(wiretight.__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads an ELF file")

OF_MACHINE = {"x86_64": "-fcf-protection=full", "aarch64": "-mbranch-protection=standard"}


def headers() -> str:
    return "\n".join(output_of("readelf", "--program-headers", "--dynamic", "--notes", "--wide", LIBRARY))


def configured() -> list[str]:
    """The options of its OpenSSL, as the bill of materials has them."""
    [file] = INSTALLED.glob("wiretight-*.dist-info/sboms/wiretight.cdx.json")
    [options] = json.loads(file.read_text())["components"][0]["properties"]
    return list(options["value"].split())


def test_all_relocations_are_done_and_sealed_before_any_code_runs() -> None:
    found = headers()

    assert re.search(r"FLAGS\)?\s.*BIND_NOW", found)
    assert re.search(r"^\s*GNU_RELRO\s", found, re.MULTILINE)


def test_no_segment_is_both_written_and_executed() -> None:
    segments = re.findall(r"^\s*(?:LOAD|GNU_STACK)\s.* ([R ][W ][E ]) 0x", headers(), re.MULTILINE)

    assert len(segments) >= 4
    assert [flags for flags in segments if "W" in flags and "E" in flags] == []


def test_overwritten_stacks_and_buffers_that_are_too_small_end_the_process() -> None:
    imported = symbols("--undefined-only")

    assert "__stack_chk_fail" in imported
    assert "__memcpy_chk" in imported


@pytest.mark.skipif(platform.machine() != "x86_64", reason="it is x86-64's")
def test_the_processor_may_guard_where_functions_return_to() -> None:
    assert re.search("x86 feature: .*SHSTK", headers())


def test_openssl_was_built_like_the_core() -> None:
    options = configured()

    assert {"-fstack-protector-strong", "-fstack-clash-protection", "-D_FORTIFY_SOURCE=3"} <= set(options)
    assert OF_MACHINE.get(platform.machine(), "-fPIC") in options


def test_no_path_of_the_machine_that_built_it_is_inside() -> None:
    content = LIBRARY.read_bytes()

    assert b"/etc/wiretight" in content
    assert re.findall(rb"/(?:home|root|tmp|work|build|project|var/tmp)/[^\0]*", content) == []


def test_the_licence_and_the_copyright_of_openssl_come_along() -> None:
    [folder] = INSTALLED.glob("wiretight-*.dist-info/licenses/openssl")

    assert "Apache License" in (folder / "LICENSE.txt").read_text()
    assert "The OpenSSL Project Authors" in (folder / "COPYRIGHT").read_text()
