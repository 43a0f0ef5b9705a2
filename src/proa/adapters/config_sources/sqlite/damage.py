"""Whether store.db is whole, and what an operator does when it is not.

A damaged store is never served, repaired or replaced by itself: half a configuration sends requests the wrong way,
and an empty one opens what was closed. The operator decides, and is told which copy to take and how.
"""

import logging
import shlex
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from proa.adapters.config_sources.sqlite.copies import known_copies, problem_of
from proa.ports.failures import StorePermanent
from proa.ports.store_backup import Backup

CHECK_BUDGET_S: Final = 5.0
"""How long the check at start may take. It reads about 0.7 GB a second, so only a huge store outlasts this."""
AGAIN_S: Final = 0.01
ERRORS_SHOWN: Final = 3
COPIES_TRIED: Final = 5

DAMAGE: Final = frozenset([sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB])
"""Primary result codes that mean: these bytes are not what was written."""

log = logging.getLogger(__name__)


def check_integrity(connection: sqlite3.Connection, path: Path, budget_s: float = CHECK_BUDGET_S) -> None:
    """Raises StorePermanent for a file whose pages, rows or indexes contradict each other.

    A check that is not through in time is given up, with a warning: a mesh that does not start is worse than a
    damage found when its page is read.
    """
    is_over = threading.Event()
    timer = threading.Thread(target=_interrupt, args=(connection, budget_s, is_over), name="store check")
    timer.start()
    try:
        found = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({ERRORS_SHOWN})")]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        log.warning("%s is too large to be checked in %g s; it is opened unchecked", path, budget_s)
        return
    finally:
        is_over.set()
        timer.join()
    if found != ["ok"]:
        # SQLite says "*** in database main ***" before it says what.
        told = [line for each in found for line in each.splitlines() if not line.startswith("***")]
        raise damaged(path, "; ".join(told[:ERRORS_SHOWN]))


def _interrupt(connection: sqlite3.Connection, after_s: float, is_over: threading.Event) -> None:
    """Again and again: an interruption of nothing, before the check has begun, is forgotten."""
    wait_s = after_s
    while not is_over.wait(wait_s):
        connection.interrupt()
        wait_s = AGAIN_S


def damaged(path: Path, what: str) -> StorePermanent:
    """The refusal, with the newest whole copy and the commands that put it in place."""
    aside = path.parent / time.strftime("damaged-%Y%m%d-%H%M%S", time.gmtime())
    move = f"mkdir {_word(aside)} && mv {_word(path)}* {_word(aside)}/"
    copy = _newest_whole(path)
    if copy is None:
        todo = (
            "No whole backup of it is known. If you have one, put it in place while no control plane runs:\n"
            f"  {move} && cp BACKUP {_word(path)}\n"
            f"Without one, begin anew: the first half of that command, then `proa serve`, `proa apply` your files, "
            "and let every node join with a new token. The certificate authority's keys are not in this file."
        )
    else:
        when = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(copy.time))
        todo = (
            f"The newest whole backup is {copy.file}: version {copy.version}, of {when}. While no control plane "
            "runs, restore it with:\n"
            f"  {move} && cp {_word(copy.file)} {_word(path)}\n"
            "Then apply again what was changed after it. A join token used after it can be used again until it "
            "expires; a node that joined after it needs a new one."
        )
    return StorePermanent(f"{path} is damaged ({what}) and is not used.\n{todo}")


def _newest_whole(path: Path) -> Backup | None:
    tried = known_copies(path)[:COPIES_TRIED]
    return next((copy for copy in tried if problem_of(Path(copy.file)) is None), None)


def _word(path: Path | str) -> str:
    return shlex.quote(str(path))
