"""tools/suites.py compares what two runs of a project's tests have said, and takes nothing else for a result."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repo.source import ROOT

# A run of a suite whose interpreter is a shell script.
PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, {tools!r})
import suites
tree = suites.Tree("eventlet", Path({folder!r}), Path("wheel"))
tree.source.mkdir()
tree.asked = lambda *_: "wiretight"
print(tree.run("install"))
"""
RESULTS = '<testsuites><testsuite><testcase classname="c" name="n"/></testsuite></testsuites>'


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("exit 139", "the tests of eventlet did not run (status 139)"),
        (f"echo '{RESULTS}' >install.xml; exit 2", "the tests of eventlet did not run (status 2)"),
        (f"echo '{RESULTS}' >../install.xml", "{'c::n': 'passed'}"),
    ],
)
def test_results_of_an_earlier_run_are_not_those_of_one_that_died(script: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "env/bin/python").chmod(0o755)
    (tmp_path / "install.xml").write_text(RESULTS)
    program = PROGRAM.format(tools=str(ROOT / "tools"), folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert said in done.stdout + done.stderr
    assert (done.returncode == 0) is said.startswith("{")
