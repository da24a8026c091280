"""`python -m wiretight`: demo, connect, serve, info, run and doctor."""

import sys

from wiretight._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
