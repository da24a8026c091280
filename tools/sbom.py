"""Write the bill of materials of a wheel that brings its own OpenSSL: CycloneDX, as PEP 770 puts it into .dist-info.

Usage: sbom.py VERSION OPENSSL_JSON OUTPUT     OPENSSL_JSON is what build_openssl.py has put beside its libraries
"""

import json
import sys
from pathlib import Path


def bill(version: str, openssl: dict[str, str]) -> dict[str, object]:
    """What the wheel is, what is linked into it, and from which source. Nothing that would differ in another build."""
    wiretight = f"pkg:pypi/wiretight@{version}"
    engine = f"pkg:generic/openssl@{openssl['version']}?checksum=sha256:{openssl['sha256']}"
    licence = [{"license": {"id": "Apache-2.0"}}]
    source = {
        "type": "source-distribution",
        "url": openssl["address"],
        "hashes": [{"alg": "SHA-256", "content": openssl["sha256"]}],
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": wiretight,
                "name": "wiretight",
                "version": version,
                "purl": wiretight,
                "licenses": licence,
            }
        },
        "components": [
            {
                "type": "library",
                "bom-ref": engine,
                "name": "openssl",
                "version": openssl["version"],
                "purl": engine,
                "cpe": f"cpe:2.3:a:openssl:openssl:{openssl['version']}:*:*:*:*:*:*:*",
                "licenses": licence,
                "externalReferences": [source],
                "properties": [{"name": "wiretight:configure", "value": " ".join(openssl["options"])}],
            }
        ],
        "dependencies": [{"ref": wiretight, "dependsOn": [engine]}, {"ref": engine}],
    }


def main(version: str, openssl: str, output: str) -> None:
    """Write it."""
    Path(output).write_text(json.dumps(bill(version, json.loads(Path(openssl).read_text())), indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
