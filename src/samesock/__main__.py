"""`python -m samesock`: the same as the command `samesock`."""

import sys

from samesock.cli import main

if __name__ == "__main__":
    sys.exit(main())
