"""Mozilla: what a server offers beyond what Mozilla's guideline for servers has, at each of its three levels.

https://wiki.mozilla.org/Security/Server_Side_TLS: "modern" for clients that all speak TLS 1.3, "intermediate" for any,
"old" for those of before 2014.
"""

from dataclasses import dataclass, field

from wiretight import Policy
from wiretight._cli.scan.hello import TLS10, TLS11, TLS12, TLS13
from wiretight._cli.scan.suites import suite, suites
from wiretight._cli.scan.survey import Survey
from wiretight._cli.trace.names import GROUPS, VERSIONS, name_of

_MODERN, _INTERMEDIATE = "mozilla-modern-6.0", "mozilla-intermediate-6.0"
_OLD = "mozilla-old-5.8"  # the last that there is, and no Policy: no usual build of OpenSSL has all of it

# https://ssl-config.mozilla.org/guidelines/5.8.json
_OLD_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
    "DHE-RSA-AES128-GCM-SHA256", "DHE-RSA-AES256-GCM-SHA384", "DHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES256-SHA",
    "DHE-RSA-AES128-SHA256", "DHE-RSA-AES256-SHA256", "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA256",
    "AES256-SHA256", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA",
)  # fmt: skip

_ALIASES = {"prime256v1": "secp256r1"}


@dataclass
class Comparison:
    """What a server offers that a level does not have: nothing, if it meets that level."""

    level: str
    guideline: str
    versions: list[str] = field(default_factory=list)
    suites: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        """Whether there is nothing beyond it."""
        return not (self.versions or self.suites or self.groups)


def comparisons(survey: Survey) -> list[Comparison]:
    """With each level, the strictest first."""
    modern, intermediate = (Policy.named(name).describe() for name in (_MODERN, _INTERMEDIATE))
    every = intermediate["ciphersuites"]
    return [
        _compared("modern", _MODERN, survey, {TLS13}, modern["ciphersuites"], modern["groups"]),
        _compared(
            "intermediate",
            _INTERMEDIATE,
            survey,
            {TLS12, TLS13},
            every + intermediate["ciphers"],
            intermediate["groups"],
        ),
        _compared("old", _OLD, survey, {TLS10, TLS11, TLS12, TLS13}, [*every, *_OLD_CIPHERS], intermediate["groups"]),
    ]


def _compared(
    level: str, guideline: str, survey: Survey, versions: set[int], ciphers: list[str], groups: list[str]
) -> Comparison:
    known = {each.name: number for number, each in suites().items()}
    allowed = {known[name] for name in ciphers}
    allowed_groups = {_ALIASES.get(name, name).lower() for name in groups}
    spoken = [VERSIONS[version] for version in survey.offers if version not in versions]
    offered = dict.fromkeys(name_of(group, GROUPS) for offer in survey.offers.values() for group in offer.groups)
    return Comparison(
        level,
        guideline,
        (["SSL 2.0"] if survey.ssl2_ciphers else []) + sorted(spoken),
        [suite(number).name for number in survey.suites if number not in allowed],
        [name for name in offered if name.lower() not in allowed_groups],
    )
