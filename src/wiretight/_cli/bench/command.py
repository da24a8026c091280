"""`bench`: what wiretight costs beside the standard `ssl`, on this machine and with these OpenSSLs."""

import argparse
import platform
import statistics
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import wiretight
from wiretight._cli.arguments import whole_number
from wiretight._cli.bench.certificate import write_certificate
from wiretight._cli.bench.measures import MEASURES, Ends, Measure
from wiretight._cli.errors import CommandError
from wiretight._cli.info import version
from wiretight._cli.terminal import CAUTION, FAINT, GOOD, NOTE, Steps, print_json, print_styled, width
from wiretight._standard.errors import standard

_OURS, _THEIRS = "wiretight", "ssl"
_ROUNDS = 5
_CLEAR = 3
_WIDEST = 120  # columns
_BLOCKS = " ▏▎▍▌▋▊▉█"


@dataclass(frozen=True)
class Result:
    """Of one measure: what each round has measured, in seconds of the processor's time, by implementation."""

    measure: Measure
    rounds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """In the measure's unit."""
        return statistics.median(self.rounds[name]) * self.measure.scale

    @property
    def ratio(self) -> float | None:
        """Ours to theirs, as the median of the rounds' ratios, which what disturbs both does not change."""
        if _THEIRS not in self.rounds:
            return None
        return statistics.median(self._ratios())

    @property
    def verdict(self) -> str:
        """In words; who leads by less than the rounds differ does not lead, and nobody does by a round or two."""
        ratio = self.ratio
        if ratio is None:
            return ""
        ratios = sorted(self._ratios())
        if len(ratios) < _CLEAR:
            return f"{ratio:.2f} of ssl"
        if ratios[0] <= 1 <= ratios[-1]:
            return f"{ratio:.2f} of ssl: no clear difference"
        return f"{ratio:.2f} of ssl" + (": ssl leads" if ratio > 1 else "")

    def _ratios(self) -> list[float]:
        return [ours / theirs for ours, theirs in zip(self.rounds[_OURS], self.rounds[_THEIRS], strict=True)]


def add_arguments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    command = commands.add_parser(
        "bench",
        help="measure what wiretight costs beside ssl, here and now",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=textwrap.dedent("""\
            Measures, in some seconds, how much of the processor's time wiretight and the
            standard ssl of this Python take: for handshakes, small messages, bulk data and
            a default context. Both ends of the connections are threads of this process;
            the implementations take turns, so that what disturbs the machine disturbs both."""),
        epilog=textwrap.dedent("""\
            examples:
              wiretight bench
              wiretight bench --rounds 25      on a machine that has other things to do
              wiretight bench --json

            A newer OpenSSL changes more than any binding can: look at the versions, which
            are printed first. Compare ratios between machines, never times."""),
    )
    command.add_argument(
        "--rounds", type=whole_number(1, 1000), default=_ROUNDS, metavar="N", help=f"rounds (default {_ROUNDS})"
    )
    command.add_argument("--json", action="store_true", help="print the results as JSON")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    modules: dict[str, ModuleType] = {_OURS: wiretight}
    if standard is not None:
        modules[_THEIRS] = standard
    begun = time.monotonic()
    results = measured(modules, options.rounds)
    if options.json:
        print_json(_document(modules, results, options.rounds))
        return 0
    _print(modules, results, options.rounds, time.monotonic() - begun)
    return 0


def measured(modules: dict[str, ModuleType], rounds: int) -> list[Result]:
    """All measures, the modules in turn, after a round that does not count."""
    try:
        with tempfile.TemporaryDirectory(prefix="wiretight-bench-", ignore_cleanup_errors=True) as folder:
            certificate = write_certificate(Path(folder, "certificate.pem"))
            ends = {name: Ends.made(module, certificate) for name, module in modules.items()}
            with Steps(len(MEASURES)) as steps:
                return [_measured(measure, ends, rounds, steps) for measure in MEASURES]
    except (OSError, ValueError) as error:
        raise CommandError(f"nothing can be measured here: {error}") from error


def _measured(measure: Measure, ends: dict[str, Ends], rounds: int, steps: Steps) -> Result:
    steps.begin(measure.name)
    found: dict[str, list[float]] = {name: [] for name in ends}
    for number in range(rounds + 1):
        order = list(ends) if number % 2 else list(reversed(ends))
        for name in order:
            value = measure.take(ends[name])
            if number:
                found[name].append(value)
    return Result(measure, found)


# --- What is printed --------------------------------------------------------------------------------------------------


def _print(modules: dict[str, ModuleType], results: Sequence[Result], rounds: int, seconds: float) -> None:
    columns = width(sys.stdout, _WIDEST)
    print_styled([("processor time of both ends together; less is better", "bold")], sys.stdout)
    for name, module in modules.items():
        print_styled([(f"  {name:<11}", FAINT), (_about(name, module), "")], sys.stdout)
    for result in results:
        print_styled([("", "")], sys.stdout)
        print_styled([(f"{result.measure.name:<21}", "bold"), (result.verdict, _style(result))], sys.stdout)
        longest = max(result.median(name) for name in result.rounds)
        for name in result.rounds:
            value = result.median(name)
            bar = _bar(value / longest, max(10, columns - 38)) if longest else ""
            parts = [(f"  {name:<11}", FAINT), (f"{value:>10,.{_digits(value)}f} {result.measure.unit}  ", "")]
            print_styled([*parts, (bar, GOOD if name == _OURS else NOTE)], sys.stdout)
    print_styled([("", "")], sys.stdout)
    of = f"medians of {rounds} rounds" if rounds > 1 else "one round"
    text = f"TLS 1.3, X25519, a P-256 certificate; {of}, {seconds:.1f} s in all."
    lead = [result.measure.name for result in results if "ssl leads" in result.verdict]
    text += f" ssl leads in: {'; '.join(lead)}." if lead else ""
    for line in textwrap.wrap(text, columns):
        print_styled([(line, FAINT)], sys.stdout)


def _document(modules: dict[str, ModuleType], results: Sequence[Result], rounds: int) -> dict[str, object]:
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "openssl": {name: module.OPENSSL_VERSION for name, module in modules.items()},
        "wiretight": version(),
        "machine": platform.machine(),
        "rounds": rounds,
        "measures": [
            {
                "name": result.measure.name,
                "unit": result.measure.unit,
                "median": {name: result.median(name) for name in result.rounds},
                "rounds": {
                    name: [value * result.measure.scale for value in values] for name, values in result.rounds.items()
                },
                "ratio": result.ratio,
                "verdict": result.verdict or None,
            }
            for result in results
        ],
    }


def _about(name: str, module: ModuleType) -> str:
    of = version() if name == _OURS else f"of {platform.python_implementation()} {platform.python_version()}"
    return f"{of}, {module.OPENSSL_VERSION}"


def _bar(share: float, most: int) -> str:
    """In eighths of a column, where the output can say so."""
    eighths = round(share * most * 8)
    bar = _BLOCKS[8] * (eighths // 8) + _BLOCKS[eighths % 8].strip()
    try:
        bar.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "#" * max(1, round(share * most))
    return bar


def _digits(value: float) -> int:
    return 0 if value >= 100 else 1 if value >= 10 else 2


def _style(result: Result) -> str:
    if result.ratio is None or "no clear" in result.verdict:
        return ""
    return GOOD if result.ratio < 1 else CAUTION
