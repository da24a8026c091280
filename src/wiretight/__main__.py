"""`python -m wiretight`: the commands of _cli."""

import sys

from wiretight._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
