"""Check the Bicep files in ``infra/`` without Azure tooling; a line for each fault, exit 1 if there is any.

    python -m scripts.infra

What this cannot see, the compiler and Azure's preview do: docs/deploy.md has the commands.
"""

import sys
from pathlib import Path

from scripts import infra_rules, infra_settings
from scripts.infra_tree import read_templates

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Print every fault of every file."""
    templates = read_templates(ROOT)
    faults = infra_rules.faults_of(templates) + infra_settings.faults_of(ROOT, templates)
    for fault in faults:
        print(fault)
    print(f"infra: {len(templates)} Bicep files, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
