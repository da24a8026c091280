"""bench: measures wiretight beside the standard ssl, and says who leads."""

from __future__ import annotations

import json
import platform
import signal
import ssl
from pathlib import Path

import pytest

from tests.cli.command import COLOUR, in_terminal, started, wiretight, wiretight_without
from tests.core.peer import until
from tests.kit.subject import tls
from tests.kit.threads import PATIENCE
from wiretight._cli.bench import command as bench
from wiretight._cli.bench.certificate import NAME, write_certificate
from wiretight._cli.bench.measures import MEASURES, Ends
from wiretight._cli.errors import CommandError

NAMES = [measure.name for measure in MEASURES]


def test_both_are_measured_and_said_to_be_what_they_are() -> None:
    result = wiretight("bench", "--rounds", 1, "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)

    assert found["openssl"] == {"wiretight": tls.OPENSSL_VERSION, "ssl": ssl.OPENSSL_VERSION}
    assert platform.python_version() in found["python"]
    assert [measure["name"] for measure in found["measures"]] == NAMES
    for measure in found["measures"]:
        assert measure["median"]["wiretight"] > 0
        assert measure["ratio"] == pytest.approx(measure["median"]["wiretight"] / measure["median"]["ssl"])
        assert "of ssl" in measure["verdict"]
    assert [line.partition(" (")[0] for line in result.stderr.splitlines()] == NAMES


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux lists the threads of another process")
def test_ctrl_c_ends_it_at_once() -> None:
    """In a measurement, whose other end has somebody to wait for."""
    with started("bench", "--rounds", 1000) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith(NAMES[0])
        threads = Path(f"/proc/{process.pid}/task")
        until(lambda: len(list(threads.iterdir())) > 1, "a thread is the other end")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 130
        assert process.stderr.read() == ""


def test_bars_fit_into_80_columns() -> None:
    lines = wiretight("bench", "--rounds", 1).stdout.splitlines()

    assert max(map(len, lines)) <= 80
    assert sum("█" in line for line in lines) >= len(NAMES)
    assert [line.partition("  ")[0] for line in lines if line.partition("  ")[0] in NAMES] == NAMES


def test_nothing_but_the_package_is_needed() -> None:
    assert wiretight_without("trustme", "bench", "--rounds", 1, "--json").returncode == 0


def test_bars_are_of_characters_that_the_output_has() -> None:
    result = wiretight("bench", "--rounds", 1, environment={"PYTHONIOENCODING": "ascii"})
    assert "#" in result.stdout
    assert "\\u" not in result.stdout.replace("\\xb5", "")


def test_a_terminal_gets_colour() -> None:
    pytest.importorskip("rich", reason="colour needs rich: pip install 'wiretight[demo]'")
    status, seen = in_terminal("bench", "--rounds", 1)

    assert status == 0
    assert COLOUR.search(seen)


@pytest.mark.parametrize("arguments", [["--rounds", "0"], ["--rounds", "x"], ["--fast"], ["more"]], ids=" ".join)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    assert wiretight("bench", *arguments).returncode == 2


def test_what_cannot_be_measured_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "write_certificate", lambda _path: Path("/nowhere"))
    with pytest.raises(CommandError, match="nothing can be measured here"):
        bench.measured({"wiretight": tls}, 1)


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"),
    [
        ([1.0, 1.0, 1.0], [2.0, 2.0, 2.1], "0.50 of ssl"),
        ([2.0, 2.0, 2.1], [1.0, 1.0, 1.0], "2.00 of ssl: ssl leads"),
        ([1.0, 1.1, 1.0], [1.1, 1.0, 1.0], "1.00 of ssl: no clear difference"),
        ([2.0], [1.0], "2.00 of ssl"),
    ],
)
def test_who_leads_is_said_where_it_is_clear(ours: list[float], theirs: list[float], verdict: str) -> None:
    result = bench.Result(MEASURES[0], {"wiretight": ours, "ssl": theirs})
    assert result.verdict == verdict


def test_where_ssl_leads_is_said_again_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    leads = bench.Result(MEASURES[1], {"wiretight": [2.0] * 3, "ssl": [1.0] * 3})
    bench._print({"wiretight": tls, "ssl": ssl}, [leads], 3, 1.0)
    assert f"ssl leads in: {MEASURES[1].name}." in capsys.readouterr().out.replace("\n", " ")


def test_without_a_standard_ssl_only_our_own_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    results = bench.measured({"wiretight": tls}, 1)
    assert [result.ratio for result in results] == [None] * len(NAMES)
    bench._print({"wiretight": tls}, results, 1, 1.0)
    assert "of ssl" not in capsys.readouterr().out


def test_the_certificate_is_that_of_localhost_and_trusted_by_nobody_else(tmp_path: Path) -> None:
    path = write_certificate(tmp_path / "certificate.pem")
    certificate = tls.Certificate.from_pem(path.read_text())

    assert certificate.alternative_names == [("DNS", NAME)]
    assert (certificate.key_type, certificate.key_bits) == ("EC", 256)
    assert certificate.not_after.year == 9999
    for module in (tls, ssl):
        assert Ends.made(module, path).client.verify_mode == ssl.CERT_REQUIRED
