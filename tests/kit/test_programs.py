import socket
import ssl as standard
import sys

import pytest

from tests.kit import programs
from tests.kit.certificates import HOST
from tests.kit.programs import OpenSSLClient, OpenSSLServer, Process, curl


def test_a_missing_program_skips_the_test_and_names_its_package():
    with pytest.raises(pytest.skip.Exception, match="apt-get install some-package"):
        programs.program("no-such-program", "some-package")


def test_a_processs_output_is_read_line_by_line():
    with Process(sys.executable, "-c", "print('one\\ntwo'); print(input()[::-1])") as process:
        assert process.line_with("tw") == "two"
        process.say(b"abc\n")
        assert process.line_with("c") == "cba"
        assert process.wait() == 0
        assert process.output == "one\ntwo\ncba\n"


def test_a_processs_output_is_matched_across_lines():
    with Process(sys.executable, "-c", "print('one\\ntwo\\nthree', flush=True); input()") as process:
        assert process.says(b"ne\ntw")
        process.say(b"\n")
        assert not process.says(b"four")


def test_a_process_that_ends_without_the_line_is_an_error_with_its_output():
    with Process(sys.executable, "-c", "print('sorry')") as process:
        with pytest.raises(AssertionError, match="sorry"):
            process.line_with("ready")


def test_a_process_that_never_ends_is_ended_with_the_block():
    with Process(sys.executable, "-c", "print('up', flush=True); input()") as process:
        process.line_with("up")
    assert process.process.returncode is not None


def test_openssl_server_is_ready_when_it_has_a_port(certificates, version):
    with OpenSSLServer(certificates.server, version) as server:
        socket.create_connection(server.address).close()


def test_openssl_server_that_cannot_start_is_an_error_with_its_output(certificates, version):
    with pytest.raises(AssertionError, match="no-such-option"):
        OpenSSLServer(certificates.server, version, "-no-such-option")


def test_openssl_client_and_server_understand_each_other(certificates, version):
    with (
        OpenSSLServer(certificates.server, version, "-rev") as server,
        OpenSSLClient(server.port, certificates.ca_file, version) as client,
    ):
        client.line_with("Verify return code: 0 (ok)")
        client.say(b"desserts\n")
        client.line_with("stressed")
        client.end_of_input()
        assert client.wait() == 0


def test_curl_fetches_from_openssl_server(certificates, version):
    with OpenSSLServer(certificates.server, version, "-www") as server:
        page = curl(f"https://{HOST}:{server.port}/", "--cacert", certificates.ca_file)
    assert page.returncode == 0, page.stderr
    assert version.name.replace("_", ".").encode() in page.stdout


def test_every_version_has_its_option():
    assert programs.version_option(standard.TLSVersion.TLSv1_2) == "-tls1_2"
    assert programs.version_option(standard.TLSVersion.TLSv1_3) == "-tls1_3"
