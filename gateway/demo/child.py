"""Becomes another command that ends when its parent does, however the parent ends.

`python -m gateway.demo.child PARENT COMMAND [ARGUMENT …]`, PARENT being the process id of the parent. Without it a demo
that is killed would leave a broker and a gateway behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(arguments: list[str]) -> None:
    """Ask the kernel for SIGTERM at the parent's death, then run the command in this process."""
    parent, *command = arguments
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == int(parent):
        os.execvp(command[0], command)  # noqa: S606 - the command is the demo's own


if __name__ == "__main__":
    main(sys.argv[1:])
