"""The ways through other programs: curl and `openssl s_client`, fetching from the same server."""

import io
import re
import shutil
import subprocess
import tempfile
from typing import cast

from wiretight._cli.demo.download import PATH, Download
from wiretight._cli.demo.way import STALLED, NotInstalledError, Passage, Target
from wiretight._cli.negotiated import UNKNOWN, Negotiated

_CURL_VERSIONS = {"1.2": ["--tlsv1.2", "--tls-max", "1.2"], "1.3": ["--tlsv1.3"], None: []}
_OPENSSL_VERSIONS = {"1.2": ["-tls1_2"], "1.3": ["-tls1_3"], None: []}


def fetch_with_curl(target: Target, downloads: list[Download]) -> Passage:
    """Fetch the whole file with curl."""
    messages = _run(
        [
            *(_program("curl"), "--disable", "--noproxy", "*", "--silent", "--show-error", "--verbose", "--include"),
            *("--http1.1", "--ipv4", "--max-time", str(10 * STALLED), "--cacert", str(target.ca_file)),
            *_CURL_VERSIONS[target.tls],
            *("--write-out", "%{stderr}timing %{time_connect} %{time_appconnect}\n"),
            f"https://{target.name}:{target.port}{PATH}",
        ],
        b"",
        downloads[0],
    )
    passage = Passage()
    if agreed := re.search(r"SSL connection using (\S+) / (\S+)(?: / (\S+))?", messages):
        passage.negotiated = Negotiated(agreed[1], agreed[2], None, agreed[3] or UNKNOWN)
    if timing := re.search(r"^timing (\S+) (\S+)$", messages, re.MULTILINE):
        passage.handshakes.append(float(timing[2]) - float(timing[1]))
    return passage


def fetch_with_openssl(target: Target, downloads: list[Download]) -> Passage:
    """Fetch the whole file with `openssl s_client`."""
    program = _program("openssl")
    if not subprocess.run([program, "version"], capture_output=True, check=False).stdout.startswith(b"OpenSSL"):
        raise NotInstalledError("openssl is another library's program here")
    messages = _run(
        [
            *(program, "s_client", "-brief", "-ign_eof", "-connect", f"{target.host}:{target.port}"),
            *("-servername", target.name, "-verify_hostname", target.name, "-verify_return_error"),
            *("-CAfile", str(target.ca_file), *_OPENSSL_VERSIONS[target.tls]),
        ],
        downloads[0].request,
        downloads[0],
    )
    facts = dict(re.findall(r"^([^:\n]+): *(.+)$", messages, re.MULTILINE))
    group = (
        facts.get("Negotiated TLS1.3 group") or facts.get("Peer Temp Key") or facts.get("Server Temp Key") or UNKNOWN
    )
    return Passage(
        Negotiated(facts.get("Protocol version", UNKNOWN), facts.get("Ciphersuite", UNKNOWN), None, group.split(",")[0])
    )


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NotInstalledError(f"{name} is not installed")
    return path


def _run(command: list[str], request: bytes, download: Download) -> str:
    """Run `command` with `request` as its stdin, and receive the response from its stdout; returns its stderr."""
    # Files for both: a pipe that is not served meanwhile could fill up.
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
        stdin.write(request)
        stdin.seek(0)
        with subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr) as process:
            try:
                _receive(cast("io.BufferedReader", process.stdout), download)
            except BaseException:
                process.kill()
                raise
        stderr.seek(0)
        messages = stderr.read().decode("utf-8", "replace")
    if process.returncode and not download.complete:
        raise OSError(f"{command[0]} gave up with status {process.returncode}: {_last_line(messages)}")
    return messages


def _receive(output: io.BufferedReader, download: Download) -> None:
    while not download.complete:
        count = output.readinto1(download.space())
        if not count:
            break
        download.received(count)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line and not line.startswith(("*", ">", "<", "}", "{", "timing"))]
    return lines[-1] if lines else "it said nothing"
