"""macOS, as far as it can be seen from another system: every C file of the core, compiled by `zig cc` for it.

zig brings the headers of macOS's C library. Those of OpenSSL are this machine's, and so are those of Python: its
pyconfig.h is that of Linux. So it shows that the core uses nothing that macOS does not declare, and nothing is linked
or run.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from machines import ROOT, logged
from steps import Step

TARGETS = {"macos-arm64": ("aarch64-macos", "aarch64"), "macos-x86_64": ("x86_64-macos", "x86_64")}
CROSS = """\
[binaries]
c = ['{python}', '-m', 'ziglang', 'cc', '-target', '{target}']
cython = ['{scripts}/cython']
pkg-config = 'pkg-config'
python = '{python}'

[properties]
pkg_config_libdir = ['{folder}']

[host_machine]
system = 'darwin'
cpu_family = '{family}'
cpu = '{family}'
endian = 'little'
"""
OPENSSL = """\
prefix={folder}
includedir=${{prefix}}/include

Name: OpenSSL
Description: its headers alone
Version: {version}
Cflags: "-I${{includedir}}"
"""
MESON = [sys.executable, "-m", "mesonbuild.mesonmain"]


def tried(name: str, folder: Path, _: str) -> Iterator[Step]:
    """One step: how many files were compiled."""
    target, family = TARGETS[name]
    version = headers(folder)
    cross = folder / "cross.ini"
    scripts = Path(sys.executable).parent
    cross.write_text(CROSS.format(python=sys.executable, scripts=scripts, target=target, family=family, folder=folder))
    build = folder / "build"
    shutil.rmtree(build, ignore_errors=True)
    versions = f"Python {sys.version.split()[0]}, OpenSSL {version} (headers)"
    # In the folder: asked for its version, zig leaves an object file.
    set_up = ["setup", f"--cross-file={cross}", "--buildtype=plain", str(build), str(ROOT)]
    if logged(["env", "-C", str(folder), *MESON, *set_up], folder / "setup.log"):
        yield Step("compile", "FAILED: meson setup", False, versions)
        return
    commands = json.loads((build / "compile_commands.json").read_text())
    objects = [command["output"] for command in commands if command["file"].endswith(".c")]
    status = logged([str(scripts / "ninja"), "-C", str(build), "-k0", *objects], folder / "build.log")
    compiled = sum((build / name).exists() for name in objects)
    yield Step("compile", f"{compiled} of {len(objects)} files of C", status == 0 and compiled > 0, versions)


def headers(folder: Path) -> str:
    """OpenSSL's, apart from the others of this system, with what meson finds them by; their version."""
    flags = subprocess.run(
        ["pkg-config", "--cflags-only-I", "--keep-system-cflags", "openssl"], capture_output=True, text=True, check=True
    ).stdout.split()
    asked = ["cc", "-E", "-M", *flags, "-include", "openssl/ssl.h", "-x", "c", "/dev/null"]
    found = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    places = {Path(path).parent for path in found if Path(path).parent.name == "openssl"}
    shutil.rmtree(folder / "include", ignore_errors=True)
    for place in places:
        shutil.copytree(place, folder / "include/openssl", dirs_exist_ok=True)
    version = subprocess.run(
        ["pkg-config", "--modversion", "openssl"], capture_output=True, text=True, check=True
    ).stdout.strip()
    (folder / "openssl.pc").write_text(OPENSSL.format(folder=folder, version=version))
    return version
