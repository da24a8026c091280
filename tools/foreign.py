"""Linux on another processor: a Debian of its own in a folder, wiretight by a cross-compiler, and its tests under QEMU.

The compiler is this machine's, and takes headers and libraries from the other Debian. What is of the other processor,
its Python included, runs under qemu-user, which the kernel starts for such programs (binfmt_misc).
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from builders import processors
from machines import DIST, ROOT, SYSTEMS, Machine, logged, succeeds
from steps import Step

# The next one where an archive does not have the whole of this for a processor.
RELEASES = (SYSTEMS["debian-13"], SYSTEMS["debian-13"]._replace(name="Debian testing", release="testing"))
BINFMT = Path("/proc/sys/fs/binfmt_misc")

# Of Debian: to build some of it under an emulator takes longer than the tests.
PACKAGES = (
    *("python3-dev", "libssl-dev", "openssl", "ca-certificates", "curl", "python3-rich", "python3-cryptography"),
    *("python3-pytest", "python3-pytest-timeout", "python3-pytest-xdist", "python3-hypothesis", "python3-trustme"),
    *("python3-openssl", "python3-cffi-backend", "python3-uvloop", "python3-venv"),
)
# Small, because servers and clients have deadlines, and a handshake takes a second here.
DEMO = "demo --size 1M --connections 4"
# A test may take long here, but none waits for ever.
PYTEST = "python3 -m pytest -q -p no:cacheprovider --dist loadfile --timeout 900"
CROSS = """\
[binaries]
c = [{compiler}]
cython = ['{meson}/cython']
pkg-config = 'pkg-config'
python = '{python}'

[properties]
sys_root = '{root}'
pkg_config_libdir = ['{root}/usr/lib/{gnu}-linux-gnu/pkgconfig', '{root}/usr/share/pkgconfig']

[built-in options]
c_args = ['--sysroot={root}']
c_link_args = ['--sysroot={root}']

[host_machine]
system = 'linux'
cpu_family = '{gnu}'
cpu = '{gnu}'
endian = '{endian}'
"""


class Processor(NamedTuple):
    """What Debian calls it, and what GCC, QEMU and meson do."""

    debian: str
    gnu: str
    endian: str
    rooms: str  # the tests that are run unless others are named
    cpu: str = ""  # what QEMU is asked for, as QEMU_CPU


PROCESSORS = {
    # Debian's programs sign return addresses: by QARMA, the architecture's own algorithm, they take six times as long.
    "arm64": Processor("arm64", "aarch64", "little", "tests/core tests/face", "max,pauth-impdef=on"),
    "s390x": Processor("s390x", "s390x", "big", "tests/core"),
    "riscv64": Processor("riscv64", "riscv64", "little", "tests/core"),
}
# What cannot be asked there. arm64: what no pip has installed has no metadata. s390x: QEMU 7.2 tells nanoseconds by
# stat(), but not by fstat(), so a file seems to change when it is opened.
LEFT_OUT = {
    "arm64": ("tests/face/test_names.py::test_the_version_is_that_of_the_build",),
    "s390x": (
        "tests/core/test_trustedfile.py::test_a_file_is_read_once_for_many_contexts",
        "tests/core/test_trustedfile.py::test_default_contexts_share_the_default_file",
        "tests/core/test_trustedfile.py::test_the_cache_is_bounded",
        "tests/core/test_key_memory.py::test_no_copy_of_a_keys_text_is_left_in_memory[reload_cert_chain-]",
        "tests/core/test_key_memory.py::test_no_copy_of_a_keys_text_is_left_in_memory[reload_cert_chain-encrypted]",
    ),
}


def missing(name: str) -> list[str]:
    """The packages that this machine lacks for it."""
    debian, gnu = PROCESSORS[name].debian, PROCESSORS[name].gnu
    commands = {
        "debootstrap": "debootstrap",
        f"qemu-{gnu}-static": "qemu-user-static",
        f"{gnu}-linux-gnu-gcc": f"gcc-{gnu}-linux-gnu",
    }
    lacking = [package for command, package in commands.items() if not shutil.which(command)]
    # OpenSSL is compiled before the other system is: with the headers that Debian has for the compiler.
    return lacking + ([] if Path(f"/usr/{gnu}-linux-gnu/include/limits.h").exists() else [f"libc6-dev-{debian}-cross"])


def tried(name: str, folder: Path, arguments: str, *, from_dist: bool = False) -> Iterator[Step]:
    """What is tried there, each step as soon as it is known."""
    processor = PROCESSORS[name]
    machine = there(processor, folder)
    if isinstance(machine, Step):
        yield machine
        return
    if processor.cpu:
        machine.environment["QEMU_CPU"] = processor.cpu
    # An earlier run may have left an environment, whose wiretight would be taken for the one of now.
    shutil.rmtree(machine.root / "root/wiretight", ignore_errors=True)
    yield from packed(machine, processor) if from_dist else tested(machine, name, arguments)


def tests_of(name: str) -> str:
    """The arguments of pytest, unless others are given."""
    left_out = (f"--deselect={shlex.quote(test)}" for test in LEFT_OUT.get(name, ()))
    return " ".join([PROCESSORS[name].rooms, f"-n {processors()}", *left_out])


def tested(machine: Machine, name: str, arguments: str) -> Iterator[Step]:
    """The build, the demo and the tests."""
    machine.clone()
    machine.connect()
    ok = with_pytest(machine) and built(machine, PROCESSORS[name])
    yield Step("build", "works" if ok else "FAILED", ok, machine.versions)
    if not ok:
        return
    tests = f"{PYTEST} {arguments or tests_of(name)}"
    for what, command in (("demo", f"python3 -m wiretight {DEMO}"), (arguments or PROCESSORS[name].rooms, tests)):
        log = what.partition(" ")[0].replace("/", "-")
        status = machine.run(0, command, log)
        ok, outcome = succeeds(status, (machine.logs / f"{log}.log").read_text(errors="replace"))
        yield Step(what, outcome, ok, machine.versions)


def packed(machine: Machine, processor: Processor) -> Iterator[Step]:
    """The wheel, from the sdist of dist/ and into it; and what comes of it there."""
    machine.connect()
    wheel = wheel_for(machine, processor)
    yield Step("wheel", "works" if wheel else "FAILED", wheel is not None, machine.versions)
    if wheel is None:
        return
    # Fetched by this machine: an index need not wait for an emulated handshake.
    status = fetched(machine, processor, wheel)
    if status:
        yield Step("fetch", f"FAILED (status {status})", False, machine.versions)
        return
    for row in machine.rows_of_dist(DEMO, "--no-index"):
        yield Step(row.command, row.outcome, row.ok, row.versions)


def fetched(machine: Machine, processor: Processor, wheel: Path) -> int:
    """What this wheel, and no other of the index, and the fetch need, for that processor; the status of pip."""
    platforms = [f"--platform=manylinux{glibc}_{processor.gnu}" for glibc in ("2014", "_2_28", "_2_34")]
    pip = [sys.executable, "-m", "pip", "download", "--only-binary=:all:", *platforms]
    wanted = [f"--dest={machine.root / 'root/wiretight'}", f"{wheel}[demo]", "requests"]
    return logged([*pip, *wanted], machine.logs / "fetch.log")


def there(processor: Processor, folder: Path) -> Machine | Step:
    """The other Debian, unpacked unless it is there; or why it is not."""
    if not is_started(processor):
        return Step("emulator", f"this kernel starts no {processor.gnu}", None)
    machines = [Machine(release._replace(architecture=processor.debian), folder) for release in RELEASES]
    if machines[0].is_installed:
        has = (machines[0].root / "etc/os-release").read_text()
        *named, newest = machines  # the testing release does not call itself so
        return next((machine for machine in named if f"CODENAME={machine.system.release}\n" in has), newest)
    found = next((machine for machine in machines if unpacked(machine)), None)
    return found or Step("debootstrap", "Debian's archive does not answer", None)


def is_started(processor: Processor) -> bool:
    """Whether the kernel starts its programs under QEMU; until the next boot, as the package of QEMU would have it."""
    known = BINFMT / f"qemu-{processor.gnu}"
    with suppress(OSError):
        if not (BINFMT / "register").exists():
            subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT], capture_output=True, check=False)
        if not known.exists():
            (BINFMT / "register").write_bytes(Path(f"/usr/lib/binfmt.d/{known.name}.conf").read_bytes().strip())
    return known.exists()


def unpacked(machine: Machine) -> bool:
    """The files of its packages alone: to run their scripts under an emulator takes longer than the tests."""
    if not machine.install(None, ",".join(PACKAGES), "--foreign"):
        return False
    root = machine.root
    for package in sorted(root.glob("var/cache/apt/archives/*.deb")):
        if logged(["dpkg-deb", "--extract", str(package), str(root)], machine.logs / "unpack.log"):
            return False
        package.unlink()
    # What those scripts would have written.
    for name in ("passwd", "group"):
        shutil.copy(root / f"usr/share/base-passwd/{name}.master", root / f"etc/{name}")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    trusted = root / "etc/ssl/certs/ca-certificates.crt"
    trusted.parent.mkdir(parents=True, exist_ok=True)
    trusted.write_bytes(b"".join(path.read_bytes() for path in certificates))
    shutil.rmtree(root / "debootstrap")
    return True


def with_pytest(machine: Machine) -> bool:
    """The one that the tests need: Debian 13's is older. Not the newest, because what it needs is Debian's."""
    (needed,) = re.findall(r'"(pytest>=[^"]+)"', (ROOT / "pyproject.toml").read_text())
    (standard,) = machine.root.glob("usr/lib/python3.*/")
    place = machine.root / f"usr/local/lib/{standard.name}/dist-packages"
    pip = [sys.executable, "-m", "pip", "install", "--upgrade", "--no-deps", f"--target={place}", f"{needed},<9"]
    return logged(pip, machine.logs / "pytest.log") == 0


def built(machine: Machine, processor: Processor) -> bool:
    """What is committed here, compiled and put where the Python of the other system has its packages."""
    root = machine.root
    cross = cross_file(machine, processor)
    build = machine.logs / "build"
    for old in (build, *root.glob("usr/**/dist-packages/wiretight*")):
        shutil.rmtree(old, ignore_errors=True)
    meson = [sys.executable, "-m", "mesonbuild.mesonmain"]
    places = [f"-Dpython.{kind}libdir=/usr/lib/python3/dist-packages" for kind in ("plat", "pure")]
    set_up = [*meson, "setup", f"--cross-file={cross}", *places, str(build), str(root / "root/wiretight")]
    return (
        logged(set_up, machine.logs / "setup.log") == 0
        and logged([*meson, "install", "-C", str(build), f"--destdir={root}"], machine.logs / "build.log") == 0
    )


def wheel_for(machine: Machine, processor: Processor) -> Path | None:
    """One with an OpenSSL of its own, in dist/. This Python, of the other's version, is told that it is that one."""
    root, gnu = machine.root, f"{processor.gnu}-linux-gnu"
    made, name = machine.logs / "wheel", f"_sysconfigdata__linux_{gnu}"
    shutil.rmtree(made, ignore_errors=True)
    (made / "python").mkdir(parents=True)
    (found,) = root.glob(f"usr/lib/python3.*/_sysconfigdata__{gnu}.py")
    shutil.copy(found, made / "python" / f"{name}.py")
    environment = os.environ | {
        "_PYTHON_HOST_PLATFORM": f"linux-{processor.gnu}",
        "_PYTHON_SYSCONFIGDATA_NAME": name,
        "PYTHONPATH": str(made / "python"),
        **{
            variable: f"{gnu}-{tool}"
            for variable, tool in {"CC": "gcc", "AR": "ar", "RANLIB": "ranlib", "OBJCOPY": "objcopy"}.items()
        },
    }
    (sdist,) = DIST.glob("*.tar.gz")
    options = [f"--cross-file={cross_file(machine, processor)}", "-Dopenssl=static"]
    command = [
        *(sys.executable, "-m", "pip", "wheel", "-v", "--no-build-isolation", "--no-deps"),
        *(f"--wheel-dir={made}", *(f"-Csetup-args={option}" for option in options), str(sdist)),
    ]
    if logged(command, machine.logs / "wheel.log", environment):
        return None
    (wheel,) = made.glob("*.whl")
    repaired = made / "repaired"
    repair = [sys.executable, ROOT / "tools/repair_wheel.py", wheel, repaired, DIST / "symbols"]
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    if logged([*map(str, repair)], machine.logs / "repair.log", environment):
        return None
    (wheel,) = repaired.glob("*.whl")
    return Path(shutil.copy(wheel, DIST))


def cross_file(machine: Machine, processor: Processor) -> Path:
    """What meson has to know of the other system."""
    python, root = machine.logs / "python", shlex.quote(str(machine.root))
    python.write_text(f'#!/bin/sh\nexec qemu-{processor.gnu}-static -L {root} {root}/usr/bin/python3 "$@"\n')
    python.chmod(0o755)
    compiler = [f"{processor.gnu}-linux-gnu-gcc"]
    if shutil.which("ccache"):
        compiler.insert(0, "ccache")
    cross = machine.logs / "cross.ini"
    cross.write_text(
        CROSS.format(
            compiler=", ".join(f"'{word}'" for word in compiler), meson=Path(sys.executable).parent, python=python,
            root=machine.root, gnu=processor.gnu, endian=processor.endian,
        )
    )  # fmt: skip
    return cross
