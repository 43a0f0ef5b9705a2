"""Whether a running Envoy can hand over to another binary: both must speak the same version of Envoy's hot restart.

`node.envoy` asks before it starts an heir; an heir of another version would end at once, and never come to serve.
"""

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Final

from proa.core.sidecar.record import EnvoyMark

VERSION_FLAG: Final = "--hot-restart-version"
ANSWER_S: Final = 10.0
_VERSION: Final = re.compile(r"\d+\.\d+")


async def why_not_hot(running: EnvoyMark | None, binary: str) -> str | None:
    """Why the Envoy of that mark cannot hand over to that binary, None when it can. `/proc/PID/exe` is what it runs,
    also when its file was replaced."""
    if running is None:
        return "no Envoy runs"
    if running.base_id is None:
        return "the Envoy has not told its base id"
    ours = await asyncio.to_thread(hot_restart_version, Path(binary))
    theirs = await asyncio.to_thread(hot_restart_version, Path(f"/proc/{running.process.pid}/exe"))
    if not ours or not theirs:
        which = binary if not ours else "the Envoy that runs"
        return f"{which} does not say its hot restart version"
    if ours != theirs:
        return f"the Envoy that runs has hot restart version {theirs}, the one to be started {ours}"
    return None


def hot_restart_version(binary: Path) -> str:
    """`11.104`: Envoy's own number for the form of what two processes share, empty when it says none. Blocking."""
    try:
        done = subprocess.run(
            (str(binary), VERSION_FLAG),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=ANSWER_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    said = done.stdout.strip().splitlines()
    return said[-1] if done.returncode == 0 and said and _VERSION.fullmatch(said[-1]) else ""
