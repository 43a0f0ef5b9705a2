"""Run as a script between fork and exec: asks the kernel to signal this process when its parent dies.

`python -I -S launch.py SIGNAL PARENT_PID PROGRAM ARG...`. It stands in a file of its own because code between
fork and exec in a process with threads can deadlock; a fresh interpreter cannot. Imports almost nothing.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def end_with(parent: int, number: int) -> None:
    """This process gets the signal when its parent dies; it ends here when that has happened already."""
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0 or os.getppid() != parent:
        sys.exit(0)  # there is nobody to run for


def main(argv: list[str]) -> None:
    number, parent, program = int(argv[1]), int(argv[2]), argv[3:]
    end_with(parent, number)
    try:
        os.execvp(program[0], program)
    except FileNotFoundError:
        print(f"{program[0]}: not found", file=sys.stderr)
        sys.exit(127)
    except OSError as error:
        print(f"{program[0]}: {error.strerror}", file=sys.stderr)
        sys.exit(126)


if __name__ == "__main__":
    main(sys.argv)
