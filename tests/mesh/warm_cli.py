"""The command line in a process that has imported it already: each command is a fork of it and not a start of Python.

A page of commands is mostly starts otherwise. What runs is the same: `proa.cli.main`, in a process of its own with the
caller's directory, environment, standard files and exit code.

    with warm_cli(directory, env) as proa:   # a program to be called
"""

import contextlib
import importlib
import os
import pkgutil
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

LONGEST: Final = 64 * 1024
CALLER: Final = """#!{python} -ISE
import json, os, socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect({path!r})
    words = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
    socket.send_fds(s, [words], [0, 1, 2])
    s.shutdown(socket.SHUT_WR)
    sys.exit(int(s.recv(16) or b"1"))
"""


@contextlib.contextmanager
def warm_cli(directory: Path, env: Mapping[str, str]) -> Iterator[Path]:
    """The path of a program that does what `proa` does. `env` is what the imports need."""
    listening = directory / "warm.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(listening))
        server.listen()
        server.set_inheritable(True)
        argv = (sys.executable, "-m", "tests.mesh.warm_cli", str(server.fileno()))
        here = str(Path(__file__).parents[2])
        with subprocess.Popen(argv, env=dict(env), cwd=here, pass_fds=(server.fileno(),)) as process:
            try:
                caller = directory / "proa"
                caller.write_text(CALLER.format(python=sys.executable, path=str(listening)))
                caller.chmod(0o755)
                yield caller
            finally:
                process.terminate()


def serve(server: socket.socket) -> None:
    """One command after the other, until it is ended."""
    from proa import cli

    for module in pkgutil.iter_modules(cli.__path__):
        if not module.name.startswith("__"):
            importlib.import_module(f"proa.cli.{module.name}")
    while True:
        connection, _ = server.accept()
        with connection:
            words, files, _, _ = socket.recv_fds(connection, LONGEST, 3)
            while more := connection.recv(LONGEST):
                words += more
            child = os.fork()
            if child == 0:
                _become(words, files)
            for each in files:
                os.close(each)
            _, status = os.waitpid(child, 0)
            connection.sendall(str(os.waitstatus_to_exitcode(status) & 0xFF).encode())


def _become(words: bytes, files: list[int]) -> None:
    """Never returns."""
    from proa.cli.main import main

    code = 1
    try:
        for number, each in enumerate(files):
            os.dup2(each, number)
        argv, directory, env = msgspec.json.decode(words, type=tuple[list[str], str, dict[str, str]])
        os.chdir(directory)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = ["proa", *argv]
        main()
        code = 0
    except SystemExit as done:
        code = done.code if isinstance(done.code, int) else 0 if done.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
