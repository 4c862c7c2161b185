"""Pin requirements.in and requirements-dev.in with hashes; no address of any index enters the files."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--strip-extras",
    "--allow-unsafe",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
    "--no-emit-options",
)


def main(arguments: list[str]) -> int:
    """Pin both files, the deployed one first because it constrains the other."""
    compiler = str(Path(sys.executable).parent / "pip-compile")
    for name in ("requirements", "requirements-dev"):
        command = [compiler, *OPTIONS, *arguments, "--output-file", f"{name}.txt", f"{name}.in"]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
