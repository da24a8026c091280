"""Write openssl_tables.h, what the core must know about the OpenSSL it is built against, from that OpenSSL's headers.

Usage: openssl_tables.py INCLUDE_DIR HEADER [DEPFILE]

Error mnemonics are written as numbers, sorted here, so that the table needs none of the error headers. Constants and
feature flags are written as names: the compiler of the target knows their values, and nothing has to be run on it.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

# Where the constants are, and which names of each header are wanted.
CONSTANTS = {
    "ssl.h": r"SSL_OP_\w+|SSL_ERROR_\w+|SSL_AD_\w+|SSL_VERIFY_\w+|SSL_MODE_\w+",
    "prov_ssl.h": r"(?:SSL3|TLS1(?:_[123])?|DTLS1(?:_2)?)_VERSION",
    "x509_vfy.h": r"X509_V_ERR_\w+|X509_V_OK|X509_V_FLAG_\w+",
    "x509v3.h": r"X509_CHECK_FLAG_\w+",
}

# Numbers that the standard library added to OpenSSL's, and that programs compare with.
OWN_CONSTANTS = {"SSL_ERROR_EOF": 8, "SSL_ERROR_INVALID_ERROR_CODE": 10}

# The flags of `ssl`, then ours, some of which only tell the core's callers what this OpenSSL can do. The *_METHOD
# macros say nothing about a protocol: OpenSSL 4 has TLS 1.2 and no TLSv1_2_method().
FEATURES = {
    "HAS_SNI": "1",
    "HAS_ECDH": "!defined(OPENSSL_NO_EC)",
    "HAS_NPN": "0",
    "HAS_ALPN": "1",
    "HAS_SSLv2": "0",
    "HAS_SSLv3": "defined(SSL3_VERSION) && !defined(OPENSSL_NO_SSL3)",
    "HAS_TLSv1": "defined(TLS1_VERSION) && !defined(OPENSSL_NO_TLS1)",
    "HAS_TLSv1_1": "defined(TLS1_1_VERSION) && !defined(OPENSSL_NO_TLS1_1)",
    "HAS_TLSv1_2": "defined(TLS1_2_VERSION) && !defined(OPENSSL_NO_TLS1_2)",
    "HAS_TLSv1_3": "defined(TLS1_3_VERSION) && !defined(OPENSSL_NO_TLS1_3)",
    "HAS_NEVER_CHECK_COMMON_NAME": "defined(X509_CHECK_FLAG_NEVER_CHECK_SUBJECT)",
    "HAS_PSK": "!defined(OPENSSL_NO_PSK)",
    "HAS_PSK_TLS13": "!defined(OPENSSL_NO_PSK) && !defined(OPENSSL_NO_TLS1_3)",
    "HAS_PHA": "defined(SSL_VERIFY_POST_HANDSHAKE) && !defined(OPENSSL_NO_TLS1_3)",
    "HAS_KTLS": "!defined(OPENSSL_NO_KTLS)",
    "HAS_OCSP": "!defined(OPENSSL_NO_OCSP)",
    "HAS_ECH": "defined(SSL_OP_ECH_GREASE)",
    "HAS_CERT_COMPRESSION": "OPENSSL_VERSION_NUMBER >= 0x30200000L && !defined(OPENSSL_NO_COMP_ALG)",
    "HAS_GROUP_NAME": "OPENSSL_VERSION_NUMBER >= 0x30200000L",
    "HAS_BUILTIN_SIGALGS": "OPENSSL_VERSION_NUMBER >= 0x30400000L",
    "HAS_IMPLEMENTED_GROUPS": "OPENSSL_VERSION_NUMBER >= 0x30500000L",
    "HAS_SIGALG_NAMES": "OPENSSL_VERSION_NUMBER >= 0x30500000L",
    "HAS_ML_DSA": "OPENSSL_VERSION_NUMBER >= 0x30500000L && !defined(OPENSSL_NO_ML_DSA)",
}

NL = "\n"

LOOKUPS = """\
static inline const char *wt_library_name(int lib)
{
    return lib >= 0 && lib < WT_LIBRARIES ? wt_libraries[lib] : NULL;
}

static inline const char *wt_reason_name(int lib, int reason)
{
    size_t low = 0, high = sizeof wt_reasons / sizeof *wt_reasons;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const wt_reason *entry = &wt_reasons[middle];
        if (entry->lib == lib && entry->reason == reason)
            return entry->name;
        if (entry->lib < lib || (entry->lib == lib && entry->reason < reason))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
"""


def numbers(header: Path, pattern: str) -> dict[str, int]:
    """The macros of `header` that match `pattern` and are plain decimal numbers."""
    found = re.findall(rf"^#\s*define\s+({pattern})\s+(\d+)\b", header.read_text(), re.MULTILINE)
    return {name: int(number) for name, number in found}


def libraries(openssl: Path) -> dict[str, int]:
    """Library name, as `ssl` spells it in SSLError.library, -> its number."""
    return {name.removeprefix("ERR_LIB_"): n for name, n in numbers(openssl / "err.h", r"ERR_LIB_\w+").items()}


def reasons(headers: Iterable[Path], library_numbers: dict[str, int]) -> dict[tuple[int, int], str]:
    """(library number, reason number) -> mnemonic, sorted. The first of two names for one number stays."""
    found: dict[tuple[int, int], str] = {}
    for header in headers:
        for name, number in numbers(header, r"\w+_R_\w+").items():
            library, _, mnemonic = name.partition("_R_")
            if library in library_numbers and number:  # what OpenSSL no longer uses is 0
                found.setdefault((library_numbers[library], number), mnemonic)
    return dict(sorted(found.items()))


def constants(openssl: Path) -> Iterator[str]:
    """The names of the wanted constants. Function-like macros are none."""
    for header, pattern in CONSTANTS.items():
        text = (openssl / header).read_text()
        yield from dict.fromkeys(re.findall(rf"^#\s*define\s+({pattern})(?=\s)", text, re.MULTILINE))


def render(openssl: Path, error_headers: list[Path]) -> str:
    """The text of openssl_tables.h."""
    known = libraries(openssl)
    mnemonics = reasons(error_headers, known)
    if not known.get("SSL") or (known["SSL"], 127) not in mnemonics:
        raise SystemExit(f"openssl_tables.py: no error codes found in {openssl}: are these the headers of OpenSSL 3?")

    def lines(rows: Iterable[str]) -> str:
        return "\n".join(rows)

    return f"""\
/* Generated by tools/openssl_tables.py from OpenSSL's headers. Do not edit. */
#ifndef WIRETIGHT_OPENSSL_TABLES_H
#define WIRETIGHT_OPENSSL_TABLES_H

#include <stddef.h>
#include <openssl/opensslv.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

typedef struct {{ short lib; short reason; const char *name; }} wt_reason;
typedef struct {{ const char *name; long long value; }} wt_constant;
typedef struct {{ const char *name; int value; }} wt_feature;

#define WT_LIBRARIES {max(n for n in known.values() if n < 128) + 1}
static const char *const wt_libraries[WT_LIBRARIES] = {{
{lines(f'    [{number}] = "{name}",' for name, number in known.items() if number < 128)}
}};

static const wt_reason wt_reasons[] = {{
{lines(f'    {{{lib}, {reason}, "{name}"}},' for (lib, reason), name in mnemonics.items())}
}};

{LOOKUPS}
#ifdef WT_TABLES
static const wt_constant wt_constants[] = {{
{lines(f'#ifdef {n}{NL}    {{"{n}", (long long){n}}},{NL}#endif' for n in constants(openssl))}
{lines(f'    {{"{name}", {value}}},' for name, value in OWN_CONSTANTS.items())}
    {{NULL, 0}},
}};

static const wt_feature wt_features[] = {{
{lines(f'#if {when}{NL}    {{"{n}", 1}},{NL}#else{NL}    {{"{n}", 0}},{NL}#endif' for n, when in FEATURES.items())}
    {{NULL, 0}},
}};
#endif

#endif
"""


def main(include: str, output: str, depfile: str | None = None) -> None:
    """Write `output`, and for the build system which headers it depends on."""
    openssl = Path(include) / "openssl"
    if not (openssl / "ssl.h").is_file():
        raise SystemExit(f"openssl_tables.py: {openssl}/ssl.h does not exist: install OpenSSL's headers (libssl-dev)")
    error_headers = sorted(openssl.glob("*err*.h"))
    Path(output).write_text(render(openssl, error_headers))
    if depfile:
        used = sorted({*error_headers, openssl / "opensslv.h", *(openssl / header for header in CONSTANTS)})
        Path(depfile).write_text(f"{output}: {' '.join(map(str, used))}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
