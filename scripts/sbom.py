"""Write the bill of materials of what is deployed, as CycloneDX 1.6 JSON, from the pinned requirements.txt.

    python scripts/sbom.py [FILE]        default: sbom.cdx.json

Needs no network and no package: what is deployed is what stands in the file, and pip checks the hashes. The
same requirements make the same bill, byte for byte.
"""

import json
import re
import sys
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_PINNED = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s\\;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_VIA = re.compile(r"#\s+(?:via )?(\S.*)")


@dataclass(frozen=True)
class Pinned:
    """One package: ``hashes`` of its files, ``parents`` are the packages (or the file) that asked for it."""

    name: str
    version: str
    hashes: tuple[str, ...]
    parents: tuple[str, ...]

    @property
    def purl(self) -> str:
        """The package's address in the scheme of package-url."""
        return f"pkg:pypi/{re.sub(r'[-_.]+', '-', self.name).lower()}@{self.version}"


def pinned(text: str) -> Iterator[Pinned]:
    """Every package of a requirements file that pip-compile wrote."""
    for block in re.split(r"(?m)^(?=[A-Za-z0-9])", text):
        found = _PINNED.match(block)
        if found:
            comments = [line.strip() for line in block.splitlines() if line.strip().startswith("#")]
            parents = [match[1] for line in comments if (match := _VIA.match(line)) and match[1] != "via"]
            yield Pinned(found["name"], found["version"], tuple(_HASH.findall(block)), tuple(parents))


def bill(text: str, version: str) -> dict[str, Any]:
    """The document. ``text``: the requirements; ``version``: that of the application."""
    packages = list(pinned(text))
    root = f"pkg:generic/antesala@{version}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, version + text)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": "antesala",
                "version": version,
                "purl": root,
                "licenses": [{"license": {"id": "MIT"}}],
            }
        },
        "components": [_component(one) for one in packages],
        "dependencies": _dependencies(root, packages),
    }


def _component(one: Pinned) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": one.purl,
        "name": one.name,
        "version": one.version,
        "purl": one.purl,
        "hashes": [{"alg": "SHA-256", "content": content} for content in one.hashes],
    }


def _dependencies(root: str, packages: list[Pinned]) -> list[dict[str, Any]]:
    needs: dict[str, list[str]] = {root: [], **{one.purl: [] for one in packages}}
    refs = {one.name: one.purl for one in packages}
    for one in packages:
        for parent in one.parents:
            needs[refs.get(parent, root)].append(one.purl)
    return [{"ref": ref, "dependsOn": sorted(children)} for ref, children in needs.items()]


def main(arguments: list[str]) -> int:
    """Write the file and say what is in it."""
    target = Path(arguments[0]) if arguments else ROOT / "sbom.cdx.json"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    document = bill((ROOT / "requirements.txt").read_text("utf-8"), version)
    target.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(f"{target}: {len(document['components'])} packages")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
