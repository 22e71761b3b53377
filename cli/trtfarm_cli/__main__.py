"""`python -m trtfarm_cli` is `trtfarm`."""

import gc

from trtfarm_cli.interrupts import die_of_interrupts
from trtfarm_cli.standard import fill_in


def run() -> None:
    """The program: nothing is imported, and nothing can be lost, before Ctrl-C is taken care of."""
    die_of_interrupts()
    fill_in()
    # A command makes little garbage; looking for it takes a tenth of a hit. Processes that stay switch it on again.
    gc.disable()
    from trtfarm_cli.main import main

    main()


if __name__ == "__main__":
    run()
