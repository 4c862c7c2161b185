"""``python -m sandbox``: start the whole sandbox; see `sandbox.run`."""

import sys

from sandbox.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
