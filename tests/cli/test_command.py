"""What every command has in common: help, info, output that suits its reader, quiet ends."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from tests.cli.command import COLOUR, COMMAND, assert_one_line, in_terminal, started, wiretight, wiretight_here
from tests.kit.certificates import ADDRESS
from tests.kit.printed import ROOT
from tests.kit.subject import tls
from wiretight._cli import terminal
from wiretight._cli.main import main, parser
from wiretight._cli.terminal import BAD, GOOD, clean, in_units, print_table, shortened, verdict
from wiretight._core.base.tables import FEATURES


@pytest.mark.parametrize(
    "command",
    [[], ["demo"], ["connect"], ["cert"], ["ca"], ["trace"], ["scan"], ["serve"], ["bench"], ["info"]],
    ids=lambda words: "".join(words),
)
def test_help_is_given(command: list[str]) -> None:
    result = wiretight(*command, "--help")

    assert result.stdout.startswith("usage: python -m wiretight")
    assert result.returncode == 0


def test_it_is_a_command_of_its_own() -> None:
    [script] = [each for each in entry_points(group="console_scripts") if each.name == "wiretight"]
    program = f"import sys; sys.argv = ['/usr/bin/wiretight', '--help']; from {script.module} import main; main()"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("usage: wiretight [-h]")


def test_its_version_is_told() -> None:
    assert wiretight("--version").stdout == f"wiretight {version('wiretight')}, {tls.OPENSSL_VERSION}\n"


@pytest.mark.parametrize(
    "command", ["demo", "connect", "cert", "ca", "trace", "scan", "serve", "bench", "info", "run", "doctor"]
)
def test_help_fits_into_a_terminal_of_80_columns(command: str) -> None:
    lines = wiretight(command, "--help", environment={"COLUMNS": "80"}).stdout.splitlines()

    assert [line for line in lines if len(line) > 80] == []


@pytest.mark.parametrize(
    "command", ["demo", "connect", "cert", "ca", "trace", "scan", "serve", "bench", "run", "doctor"]
)
def test_help_contains_examples(command: str) -> None:
    examples = wiretight(command, "--help").stdout.partition("examples:")[2]

    assert f"\n  wiretight {command}" in examples


def test_the_page_of_the_command_names_every_option() -> None:
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    begin, *parts = re.split("^## ", page, flags=re.MULTILINE)
    sections = {name: part for part in parts for name in part.partition("\n")[0].split(" and ")}
    sections["trace"] += sections["connect"]  # whose options it takes
    [commands] = [action.choices for action in parser()._actions if action.choices]
    missing = [
        f"{name} {option}"
        for name, command in dict(commands).items()
        for option in sorted(command._option_string_actions)
        if option.startswith("--") and option not in begin + sections[name]
    ]
    assert missing == []


@pytest.mark.parametrize("arguments", [[], ["fly"], ["info", "--fast"], ["connect"]], ids=" ".join)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    result = wiretight(*arguments)

    assert_one_line(result, "--help`)", status=2)
    document = wiretight(*arguments, "--json")
    assert json.loads(document.stdout) == {"error": document.stderr.strip().removeprefix("wiretight: ")}
    assert document.returncode == 2


@pytest.mark.parametrize("digits", ["²", "٣", "1.5", "-1", "9" * 5000, ""], ids=lambda text: text[:4] or "none")
@pytest.mark.parametrize(
    "option",
    [
        "demo --connections", "demo --size", "bench --rounds", "scan host --parallel", "cert host --warn",
        "ca folder --days", "serve --port",
    ],
)  # fmt: skip
def test_what_is_no_whole_number_is_wrong_usage(option: str, digits: str) -> None:
    """Digits of other scripts among it, which str.isdigit() and int() do not agree about."""
    *command, name = option.split()
    result = wiretight_here(*command, f"{name}={digits}")

    assert_one_line(result, f"argument {name}: {digits!r} is not a ", status=2)


def test_info_names_versions_and_trust_paths() -> None:
    facts = json.loads(wiretight("info", "--json", environment={"SSL_CERT_FILE": "/no/such/file"}).stdout)

    assert facts["openssl"] == tls.OPENSSL_VERSION
    assert "TLSv1_3" in facts["versions"]
    assert facts["ca_file"] == "/no/such/file (from SSL_CERT_FILE; it does not exist)"
    assert facts["ca_certificates_loaded"] >= 0


def test_info_reports_the_openssl_and_what_it_can_negotiate() -> None:
    facts = json.loads(wiretight("info", "--json").stdout)

    assert facts["openssl_is"] == ("wiretight's own" if tls.OPENSSL_STATIC else "the system's")
    for name, example, feature in (
        ("groups", "X25519MLKEM768", "HAS_IMPLEMENTED_GROUPS"),
        ("signature_algorithms", "ed25519", "HAS_BUILTIN_SIGALGS"),
    ):
        if FEATURES[feature]:
            assert example in facts[name]
        else:
            assert facts[name] == "this OpenSSL cannot list them"


def test_info_reports_the_optional_features_of_this_openssl() -> None:
    features = json.loads(wiretight("info", "--json").stdout)["features"]

    for name in ("ECH", "CERT_COMPRESSION", "PSK", "ALPN"):
        assert (name in features) is getattr(tls, f"HAS_{name}")


def test_info_reports_the_source_of_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    facts = json.loads(wiretight("info", "--json", environment={"SSL_CERT_DIR": "/"}).stdout)
    paths = tls.get_default_verify_paths()

    origin = "found on this system" if tls.OPENSSL_STATIC else "where this OpenSSL looks"
    assert facts["ca_file"].startswith(f"{paths.openssl_cafile} ({origin}")
    assert facts["ca_folder"] == "/ (from SSL_CERT_DIR)"


def test_info_as_text_has_the_same_facts() -> None:
    lines = wiretight("info").stdout.splitlines()

    assert lines[0] == "wiretight"
    assert any(line.split() == ["openssl", *tls.OPENSSL_VERSION.split()] for line in lines)


@pytest.mark.parametrize("arguments", [["info", "--json"], ["connect", "--json", f"{ADDRESS}:1"]], ids=" ".join)
def test_a_closed_pipe_causes_no_traceback(arguments: list[str]) -> None:
    """After a failure, too."""
    with started(*arguments) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()

    assert said == ""
    assert process.returncode == 141


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-"])
def test_output_that_goes_nowhere_causes_no_traceback(redirection: str) -> None:
    command = f"{shlex.join(COMMAND)} info {redirection}"
    result = subprocess.run(command, shell=True, stderr=subprocess.PIPE, text=True, check=False)

    if redirection == ">/dev/full":
        assert_one_line(result, "the output cannot be written: No space left on device")
    else:
        assert (result.returncode, result.stderr) == (0, "")


def test_modules_of_the_current_folder_are_found(tmp_path: Path) -> None:
    (tmp_path / "a_module.py").write_text("print(__name__)")
    script = (
        f"import sys; sys.argv[0] = 'wiretight'; sys.path[0] = '/nowhere'; from {main.__module__} import main; main()"
    )
    for arguments in (["run", "-m", "a_module"], ["run", "-c", "import a_module"], ["doctor", "a_module"]):
        command = [sys.executable, "-c", script, *arguments]
        result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert result.stdout.splitlines()[0] in ("a_module", "__main__"), result.stderr


def test_what_a_module_prints_is_not_in_the_document_of_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "noisy.py").write_text("import os\nprint('noise')\nos.write(1, b'more')\n")
    result = subprocess.run(
        [*COMMAND, "doctor", "--json", "noisy"], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert isinstance(json.loads(result.stdout), list)
    assert {"noise", "more"} <= set(result.stderr.replace("more", "more\n").split())


def test_a_terminal_gets_colour() -> None:
    pytest.importorskip("rich", reason="colour needs rich: pip install 'wiretight[demo]'")
    _, seen = in_terminal("info")

    assert COLOUR.search(seen)


def test_a_terminal_gets_no_colour_that_is_illegible_on_white_or_on_black() -> None:
    """Yellow and cyan on white, blue on black; and values have the terminal's own colour, not that of their names."""
    pytest.importorskip("rich", reason="colour needs rich: pip install 'wiretight[demo]'")
    styles = {getattr(terminal, name) for name in ("GOOD", "CAUTION", "BAD", "NOTE", "FAINT")}
    assert not styles & {"yellow", "bold yellow", "cyan", "bold cyan", "blue"}
    _, seen = in_terminal("info")
    assert f"\x1b[2m  openssl                 \x1b[0m{tls.OPENSSL_VERSION}" in seen


def test_long_values_are_wrapped_behind_their_names() -> None:
    _, seen = in_terminal("info", environment={"COLUMNS": "80", "TERM": "dumb"})
    lines = [line for line in seen.splitlines() if line]

    assert max(map(len, lines)) <= 80
    assert all(line.startswith("  ") for line in lines[1:])
    assert "\n".join(wiretight("info").stdout.split()) == "\n".join(seen.split())


def test_of_a_yes_the_word_is_green_and_a_no_is_red_to_its_end() -> None:
    assert verdict("yes, by CN=x", "yes, by CN=x") == [("yes", GOOD), (", by CN=x", "")]
    assert verdict("yesterday", "yesterday") == [("yesterday", "")]
    assert [verdict(line, "NO: it has\nexpired") for line in ("NO: it has", "expired")] == [
        [("NO: it has", BAD)],
        [("expired", BAD)],
    ]


def test_no_color_disables_colour() -> None:
    _, seen = in_terminal("info", environment={"NO_COLOR": "1"})

    codes = {part for code in COLOUR.findall(seen) for part in code[2:-1].split(";")}
    assert codes <= {"0", "", "1", "2"}  # bold and faint


def test_a_dumb_terminal_gets_plain_text() -> None:
    _, seen = in_terminal("info", environment={"TERM": "dumb"})

    assert "\x1b" not in seen


def test_without_rich_a_terminal_gets_plain_text() -> None:
    status, seen = in_terminal("info", without="rich")

    assert "\x1b" not in seen
    assert status == 0


def test_an_interrupt_while_the_commands_are_imported_causes_no_traceback(tmp_path: Path) -> None:
    """As whoever is impatient makes it: the import of argparse never ends here."""
    (tmp_path / "argparse.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    )
    process = subprocess.run(
        [*COMMAND, "info"], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": str(tmp_path)}
    )

    assert (process.stdout, process.stderr) == ("", "")
    assert process.returncode == -signal.SIGINT


def test_ctrl_c_is_what_it_was_once_a_command_runs() -> None:
    assert wiretight("run", "-c", "import signal; print(signal.getsignal(2) is signal.default_int_handler)").stdout == (
        "True\n"
    )


@pytest.mark.parametrize("module", ["", "..x", ".", "a b", "a-b", "os.", "x.py/"])
def test_the_doctor_wants_names_of_modules(module: str) -> None:
    assert_one_line(wiretight_here("doctor", module), f"{module!r} is not the name of a module", status=2)


def test_sizes_are_in_units_that_fit() -> None:
    sizes = (1, 1023, 1536, 256 << 20, 1000 << 20, 3 << 30, 2000 << 40)
    assert [in_units(size) for size in sizes] == [
        "1 B", "1023 B", "1.5 KiB", "256 MiB", "1,000 MiB", "3 GiB", "2,000 TiB",
    ]  # fmt: skip


def test_wide_letters_and_accents_keep_a_table_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "end"], [["東京", "x"], ["e\u0301", "x"], ["plain", "x"]])

    assert capsys.readouterr().out.splitlines() == ["name   end", "東京   x", "e\u0301      x", "plain  x"]
    assert [shortened(text, 5) for text in ("plain", "plainer", "東京都市")] == ["plain", "plai…", "東京…"]


def test_output_that_cannot_be_encoded_is_escaped() -> None:
    result = wiretight("connect", "bücher:", environment={"PYTHONIOENCODING": "ascii"})

    assert result.stderr.startswith(r"wiretight: 'b\xfccher:' is not HOST or HOST:PORT")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ü", "plain ü"), ("\x1b[2J", r"\x1b[2J"), ("a\nb\tc", r"a\nb\tc"), ("\u202eevil", r"\u202eevil")],
)
def test_foreign_text_cannot_control_the_terminal(text: str, shown: str) -> None:
    assert clean(text) == shown
