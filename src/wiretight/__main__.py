"""`python -m wiretight`, and the command `wiretight`."""

import signal
import sys


def main() -> int:
    """Run one command; its exit status."""
    # The commands import much. Until one of them handles Ctrl-C, it ends the process without a traceback.
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from wiretight._cli.main import main as run

    signal.signal(signal.SIGINT, handler)
    return run()


if __name__ == "__main__":
    sys.exit(main())
