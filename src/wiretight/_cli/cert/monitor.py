"""Monitor: the one line and the exit status that Nagios, Icinga and their kind want of a check.

Source: the Monitoring Plugins Development Guidelines, https://www.monitoring-plugins.org/doc/guidelines.html
"""

from dataclasses import dataclass

from wiretight._cli.cert.report import Report
from wiretight._cli.connect.chain import in_days
from wiretight._cli.terminal import clean

WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
OK, WARNING, CRITICAL, UNKNOWN = range(4)


@dataclass(frozen=True)
class Thresholds:
    """Days: with fewer left than these the status is WARNING, or CRITICAL."""

    warn: int
    critical: int


def status_of(report: Report, thresholds: Thresholds) -> tuple[int, str]:
    """The status, and why."""
    days = report.days_left
    if report.refused:
        return CRITICAL, f"refused: {report.refused}"
    if report.misfit:
        return CRITICAL, report.misfit
    if report.expired:
        return CRITICAL, f"expired {in_days(abs(days or 0))} ago"
    if report.contents.damaged:
        return CRITICAL, report.contents.damaged[0]
    if days is None:
        return UNKNOWN, f"holds nothing that expires: {report.contents.words}"
    left = f"{in_days(days)} left"
    if days < thresholds.critical:
        return CRITICAL, left
    return (WARNING if days < thresholds.warn else OK), left


def print_status(status: int, why: str, days: int | None, thresholds: Thresholds) -> None:
    """The line; behind the bar stands what such a program draws curves of."""
    text = clean(f"CERT {WORDS[status]} - {why}").replace("|", "/")
    data = "" if days is None else f" | days_left={days};{thresholds.warn}:;{thresholds.critical}:"
    print(text + data)
