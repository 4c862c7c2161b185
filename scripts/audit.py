"""Ask a database of known vulnerabilities about the pinned packages that are deployed, by pip-audit.

    python scripts/audit.py

Exit 1 and a line for each if some are known. Where pip-audit is not installed or its database cannot be
reached, it says so and exits 0: a network that is closed is no vulnerability.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (
    *("pip-audit", "--requirement", "requirements.txt", "--require-hashes", "--disable-pip"),
    *("--format", "json", "--progress-spinner", "off", "--timeout", "20"),
)
_UNREACHABLE = ("ConnectionError", "ServiceError", "ConnectTimeout", "ReadTimeout", "Max retries exceeded")


def verdict(code: int, stdout: str, stderr: str) -> tuple[int, str]:
    """The exit code and what to print, from what pip-audit said."""
    try:
        packages = json.loads(stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        if any(sign in stderr for sign in _UNREACHABLE):
            return 0, "audit: not done, the database could not be reached"
        return code or 1, f"audit: pip-audit failed\n{stderr.strip()}"
    known = [
        f"audit: {one['name']} {one['version']}: {flaw['id']}, fixed in {' '.join(flaw['fix_versions'])}"
        for one in packages
        for flaw in one.get("vulns", [])
    ]
    return (1 if known else 0), "\n".join(known or [f"audit: nothing known about {len(packages)} packages"])


def main(command: Sequence[str] = COMMAND) -> int:
    """Run it and print the verdict."""
    if shutil.which(command[0]) is None:
        print("audit: not done, pip-audit is not installed (pipx install pip-audit)")
        return 0
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    code, said = verdict(ended.returncode, ended.stdout, ended.stderr)
    print(said)
    return code


if __name__ == "__main__":
    sys.exit(main())
