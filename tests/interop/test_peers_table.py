"""The table of docs/interoperation.md reports the results of the tests, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(tmp_path):
    """The page for these outcomes of the plain cells of OpenSSL as a server; others have none."""

    def make(**outcomes):
        suite = ET.Element("testsuite")
        for version, outcome in outcomes.items():
            case = ET.SubElement(suite, "testcase", name=version)
            cell = {"peer": "OpenSSL", "role": "server", "capability": "plain", "version": version.replace("_", ".")}
            properties = ET.SubElement(case, "properties")
            for name, value in cell.items():
                ET.SubElement(properties, "property", name=name, value=value)
            if outcome != "passed":
                ET.SubElement(case, outcome)
        ET.ElementTree(suite).write(tmp_path / "results.xml")
        paths = [ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
        done = subprocess.run(
            [sys.executable, "-m", "tools.interoperation", tmp_path / "results.xml"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return make


def row(page: str, peer: str) -> list[str]:
    """The cells of the peer's row where it is the server, by column."""
    _, _, servers = page.partition("the peer is the server")
    line = next(line for line in servers.splitlines() if line.startswith(f"| {peer}"))
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_a_test_passed_in_both_versions_is_green(table):
    assert row(table(TLSv1_2="passed", TLSv1_3="passed"), "OpenSSL")[0] == "✓"


def test_a_failed_test_is_red(table):
    assert row(table(TLSv1_2="passed", TLSv1_3="failure"), "OpenSSL")[0] == "1.2 ✓, 1.3 ✗"


def test_a_skipped_test_is_shown_as_not_tried(table):
    assert row(table(TLSv1_2="skipped", TLSv1_3="skipped"), "OpenSSL")[0] == "not tried"


def test_what_a_peer_does_not_support_has_its_reason(table):
    page = table(TLSv1_2="passed", TLSv1_3="passed")
    assert row(page, "curl")[0].startswith("no[^")
    assert f"{row(page, 'curl')[0].removeprefix('no')}: curl is a client." in page
