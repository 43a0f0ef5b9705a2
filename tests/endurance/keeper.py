"""An init system in small: the kill list's programs are started again by it, whoever ended them."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

from tests.mesh.harness import Program

RESTART_S: Final = 1.0


class Keeper:
    """Starts again what has ended, RESTART_S after its last start, unless it is held down by a fault."""

    def __init__(self) -> None:
        self._programs: dict[str, tuple[Callable[[], Program], Callable[[], None]]] = {}
        self._held: set[str] = set()
        self._started: dict[str, float] = {}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper")
        self.starts: dict[str, int] = {}

    def keep(self, name: str, program: Callable[[], Program], start: Callable[[], None]) -> None:
        self._programs[name] = (program, start)
        self._started[name] = time.monotonic()

    @contextlib.contextmanager
    def holding(self, name: str) -> Iterator[None]:
        with self._lock:
            self._held.add(name)
        try:
            yield
        finally:
            with self._lock:
                self._held.discard(name)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.1):
            with self._lock:
                for name, (program, start) in self._programs.items():
                    rested = time.monotonic() - self._started[name] >= RESTART_S
                    if name not in self._held and rested and program().code is not None:
                        self._started[name] = time.monotonic()
                        self.starts[name] = self.starts.get(name, 0) + 1
                        start()
