"""Run ruff (rules and form), mypy and the check of the templates; exit 1 if any of them finds something."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPED = (
    "function_app.py",
    "config_function",
    "launch_provider",
    "launch_patient",
    "writeback_function",
    "shared",
    "sandbox",
    "bench",
    "tests",
)


def main() -> int:
    """Run all of them even if one fails, so that one look shows everything."""
    tools = Path(sys.executable).parent
    typed = [name for name in TYPED if (ROOT / name).is_file() or any((ROOT / name).rglob("*.py"))]
    commands = (
        [str(tools / "ruff"), "check", "."],
        [str(tools / "ruff"), "format", "--check", "."],
        [str(tools / "mypy"), *typed],
        [sys.executable, "-m", "scripts.infra"],
    )
    return max(subprocess.run(command, cwd=ROOT, check=False).returncode for command in commands)


if __name__ == "__main__":
    sys.exit(main())
