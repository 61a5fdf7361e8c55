"""`tinynet-fast`, and `python -m tinynet_fast`: the process that is the command line. What it does is in `cli.py`."""

import os
import signal
import sys


def script() -> None:
    """Run the command line and end the process."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends it at once and without a traceback, until `watch` is there
    from tinynet_fast.cli.signals import handled, leave, watch

    try:
        watch()
        from tinynet_fast.cli.app import main

        main()
    except KeyboardInterrupt as interrupt:  # before or after the command itself
        leave(handled(interrupt))
    except SystemExit as status:
        if status.code not in (130, 143):
            raise
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:  # also after a second Ctrl-C
            os._exit(status.code)  # at once: to take down the compiler would take 0.2 s


if __name__ == "__main__":
    script()
