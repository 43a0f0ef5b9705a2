"""Run as a script: starts a program that is nobody's child, so that it outlives whoever asked for it.

`python -I -S detach.py FD PROGRAM ARG...` in a session of its own. It forks and ends; what is left has the system's
first process (or a subreaper) for a parent, waits until that is so, and becomes the program. Waiting matters: a program
may ask the kernel to be signalled when its parent ends (Envoy does, for hot restarts), and must not mean this one.
FD gets the program's pid, and the reason when it cannot be started; it is closed when the program runs.
"""

import os
import sys
import time


def main(argv: list[str]) -> None:
    answer, program = int(argv[1]), argv[2:]
    os.set_inheritable(answer, False)
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.write(answer, f"{pid}\n".encode())
        os._exit(0)
    while os.getppid() == parent:
        time.sleep(0.001)
    try:
        os.execvp(program[0], program)
    except OSError as error:
        os.write(answer, f"{program[0]}: {error.strerror}".encode())
        os._exit(127)


if __name__ == "__main__":
    main(sys.argv)
