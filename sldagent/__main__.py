"""``python -m sldagent``."""

import sys

from sldagent.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
