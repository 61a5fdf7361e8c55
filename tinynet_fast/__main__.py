"""`tinynet-fast` and `python -m tinynet_fast`: the process of the command line. The commands are in `cli/`."""

import os
import signal
import sys


def script() -> None:
    """Run the command line and end the process."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until `watch` runs, Ctrl-C ends the process without a traceback
    from tinynet_fast.cli.signals import handled, leave, watch  # imports after this may take time

    try:
        watch()
        from tinynet_fast.cli.app import main  # here, so that a signal during the import is handled

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
            os._exit(status.code)  # at once, because an orderly exit of the compiler takes 0.2 s


if __name__ == "__main__":
    script()
