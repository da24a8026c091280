"""Linux with musl in place of glibc: an OpenSSL and a CPython by musl-gcc, and wiretight and its tests on them.

It stands for Alpine Linux and its like; only the C library is theirs. It is compiled here, too, because wheels for musl
need the relocations that it knows since 1.2.4 (DT_RELR), and Debian 12 has an older one.
"""

import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import build_openssl
import free_threaded_python
from builders import OutOfReachError, build, cache, from_archives, locked, processors, say, unpack
from machines import ROOT, logged, succeeds
from steps import Step

VERSION = "3.13"
LIBC = ("musl_1.2.5.orig.tar.gz", "a9a118bbe84d8764da0ea0d28b3ab3fae8477fc7e4085d90102b8596fc7c75e4")
# What CPython cannot be used without, from the archives: pip unpacks by zlib, and the kit of the tests asks ctypes.
LIBRARIES = {
    "zlib": (
        "zlib_1.3.dfsg+really1.3.1.orig.tar.gz",
        "60dd315c07f616887caa029408308a018ace66e3d142726a97db164b3b8f69fb",
    ),
    "libffi": ("libffi_3.4.4.orig.tar.gz", "d66c56ad259a82cf2a9dfc408b32bf5da52371500b84745f7fb8b645712df676"),
}
# The kernel's headers, which are the same for every C library; musl-gcc looks into no folder that has others, too.
KERNEL = ("linux", "asm", "asm-generic")
# CPython's configure asks for the triplet, which musl-gcc has of the GCC that it calls.
COMPILER = """\
#!/bin/sh
[ "$*" != --print-multiarch ] || exec echo {machine}-linux-musl
exec {musl}/bin/musl-gcc -idirafter {headers} "$@"
"""
PROOF = "import ctypes, pip, sys, ssl, venv, zlib; print(sys.version.split()[0], ssl.OPENSSL_VERSION.split()[1])"
TESTS = "tests/core"


def missing() -> list[str]:
    """The packages that this machine lacks for it."""
    commands = {"debootstrap": "debootstrap", "xz": "xz-utils", "make": "make"}
    return [package for command, package in commands.items() if not shutil.which(command)]


def tried(folder: Path, arguments: str) -> Iterator[Step]:
    """The build, the demo and the tests, each as soon as it is known."""
    before = os.environ.copy()
    try:
        python = built()
        compiler = os.environ["CC"]
    except OutOfReachError as error:
        say(str(error))
        yield Step("build", "no source of Python in reach", None)
        return
    finally:
        os.environ.clear()  # the next platforms have compilers of their own
        os.environ.update(before)
    version, openssl = subprocess.run([python, "-c", PROOF], capture_output=True, text=True, check=True).stdout.split()
    versions = f"Python {version}, OpenSSL {openssl}, musl"
    environment = folder / "env"
    shutil.rmtree(environment, ignore_errors=True)
    pip = [str(environment / "bin/python"), "-m", "pip", "install"]
    status = (
        logged([str(python), "-m", "venv", str(environment)], folder / "venv.log")
        or logged([*pip, "pip>=25.1"], folder / "pip.log")
        or logged(["env", "-C", str(ROOT), *pip, "--group", "build", "--group", "test"], folder / "groups.log")
        or logged(
            [
                *("env", f"PATH={environment / 'bin'}:{os.environ['PATH']}", f"CC={compiler}"),
                f"PKG_CONFIG_LIBDIR={python.parents[1] / 'lib/pkgconfig'}",  # where meson looks for Python
                *(*pip, "--no-build-isolation", "-Csetup-args=-Dopenssl=static", f"{ROOT}[demo]"),
            ],
            folder / "build.log",
        )
    )
    yield Step("build", "FAILED" if status else "works", status == 0, versions)
    if status:
        return
    demo = ["-m", "wiretight", "demo"]
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *shlex.split(arguments or TESTS)]
    for what, command in (("demo", demo), (arguments or TESTS, tests)):
        log = folder / f"{what.partition(' ')[0].replace('/', '-')}.log"
        status = logged(["env", "-C", str(ROOT), str(environment / "bin/python"), *command], log)
        ok, outcome = succeeds(status, log.read_text(errors="replace"))
        yield Step(what, outcome, ok, versions)


def built() -> Path:
    """The interpreter, built now unless it is there; its compiler is in the environment (CC) after it."""
    exact = free_threaded_python.RELEASES[VERSION][0]
    home = cache() / f"python-{exact}-musl-{platform.machine()}"
    python = home / "bin/python3"
    with locked(home.name):
        os.environ["CC"] = str(compiler_in(home))
        engine = build_openssl.built(build_openssl.release_of(None))
        if not python.exists() or subprocess.run([python, "-c", PROOF], capture_output=True, check=False).returncode:
            say(f"building Python {exact} with musl, which takes some minutes")
            with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as folder:
                compile_in(Path(folder), home, engine)
    return python


def compiler_in(home: Path) -> Path:
    """musl-gcc with the kernel's headers, which OpenSSL and CPython include."""
    headers, musl = home / "kernel", home / "musl"
    headers.mkdir(parents=True, exist_ok=True)
    for name in KERNEL:
        found = next(Path("/usr/include").glob(f"*/{name}"), Path("/usr/include") / name)
        if not (headers / name).exists():  # what is there may be in use by another run
            (headers / name).unlink(missing_ok=True)
            (headers / name).symlink_to(found)
    if not (musl / "bin/musl-gcc").exists():
        with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as folder:
            configure = ["./configure", f"--prefix={musl}", f"--syslibdir={musl / 'lib'}", "--enable-wrapper=gcc"]
            make = ["make", "-j", str(processors())]
            build([configure, make, ["make", "install"]], unpacked("musl", *LIBC, Path(folder)), "musl")
    compiler, new = home / "cc", home / "cc.new"
    new.write_text(COMPILER.format(machine=platform.machine(), headers=headers, musl=musl))
    new.chmod(0o755)
    return new.replace(compiler)


def unpacked(name: str, file: str, sha256: str, folder: Path) -> Path:
    """The source of a library, in a folder of its own."""
    from_archives(name, file, sha256, folder / file)
    unpack(folder / file, folder)
    (source,) = folder.glob(f"{name}*/")
    return source


def compile_in(folder: Path, home: Path, engine: Path) -> None:
    """The libraries, and then the interpreter, put into its home."""
    jobs = ["make", "-j", str(processors())]
    os.environ["CFLAGS"] = "-fPIC"
    for name, (file, sha256) in LIBRARIES.items():
        source = unpacked(name, file, sha256, folder)
        static = ["--static"] if name == "zlib" else ["--disable-shared", "--disable-docs"]
        build([["./configure", f"--prefix={home}", *static], [*jobs, "install"]], source, name)
    del os.environ["CFLAGS"]
    unpack(free_threaded_python.tarball(VERSION, folder), folder)
    os.environ["PKG_CONFIG_LIBDIR"] = f"{home}/lib/pkgconfig:{engine}/lib/pkgconfig"
    configure = ["./configure", f"--prefix={home}", f"--with-openssl={engine}", "--with-ensurepip=install"]
    (source,) = folder.glob("Python-*/")
    build([[*configure, "--disable-test-modules"], jobs, ["make", "install"]], source, f"Python {VERSION} with musl")
    del os.environ["PKG_CONFIG_LIBDIR"]


if __name__ == "__main__":
    print(built())
