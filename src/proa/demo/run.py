"""The bookstore in a mesh of its own: starts everything as the processes a user would start, shows it, ends it.

Called by `proa demo`. Every part is one of our own command lines (`proa up`, `proa run`, `proa gateway`), so the
demo can do nothing that a user cannot. It decides order, waiting and words; `demo.bookstore` says what there is.
"""

import asyncio
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from proa.demo.bookstore import (
    GATEWAY,
    GATEWAY_PORT,
    HEALTH_PATH,
    PROGRAMS,
    SERVICE_PORT,
    Program,
    config_path,
)
from proa.demo.check import CheckRow, check
from proa.demo.mesh import DemoMesh
from proa.home import Home, HomeUnusable
from proa.runtime.holding import Held, ProgramEnded, ProgramLate, holding
from proa.runtime.races import first_of
from proa.runtime.shutdown import shutdown_event
from proa.servers.admin.client import Unreachable
from proa.servers.admin.operations import OperationFailed

CHECK_S: Final = 360.0
START_S: Final = 90.0
PAGE_S: Final = 10.0
RUN_GRACE_S: Final = 15.0
"""A program's drain (5 s) and the end of its Envoy."""

UP_GRACE_S: Final = 45.0
"""More than `proa up` itself gives its two children."""

OPENING_FILES: Final = ("gateway.yaml", "destination-rule-all.yaml")
"""Without routes, so that the first thing one sees is the stars changing with each reload."""

Say = Callable[[str], None]


class DemoFailed(Exception):
    """The demo could not be shown. `todo` says where to look."""

    def __init__(self, message: str, todo: str) -> None:
        super().__init__(message)
        self.todo = todo


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`home` None is a temporary directory that is removed afterwards, unless something failed."""

    home: Path | None = None
    check: bool = False


async def run(options: DemoOptions, say: Say) -> int:
    """Until SIGINT or SIGTERM, or, with `check`, until everything was tried. Returns the exit code: 1 when a
    check failed. Raises DemoFailed. Nothing is left running in any case."""
    home = Home(options.home or tempfile.mkdtemp(prefix="proa-demo-"))
    todo = f"logs are in {home.logs}"
    try:
        home.prepare()
        async with asyncio.timeout(CHECK_S if options.check else None):
            code = await _Demo(home, say).show(options.check)
    except TimeoutError:
        raise DemoFailed(f"the check was not done within {CHECK_S:g} s", todo) from None
    except FAILURES as error:
        raise DemoFailed(str(error), todo) from None
    if options.home is None and code == 0:
        shutil.rmtree(home.run_dir, ignore_errors=True)
        shutil.rmtree(home.path, ignore_errors=True)
    return code


FAILURES: Final = (
    HomeUnusable,
    OperationFailed,
    OSError,
    ProgramEnded,
    ProgramLate,
    Unreachable,
)


class _Demo:
    """One demo at one home. `_programs` are the children that run, `proa up` first."""

    def __init__(self, home: Home, say: Say) -> None:
        self._home = home
        self._say = say
        self._mesh = DemoMesh(home)
        self._programs: list[Held] = []
        self._began = time.monotonic()

    async def show(self, is_check: bool) -> int:
        code = 0
        async with shutdown_event() as stopping, AsyncExitStack() as stack:
            if await self._undisturbed(stopping, self._start(stack)):
                if is_check:
                    code = await self._prove(stopping)
                else:
                    self._say(self._guide())
                    await self._undisturbed(stopping, asyncio.Event().wait())
            self._say("ending everything")
        self._say("nothing of the demo runs any more")
        return code

    async def _undisturbed(self, stopping: asyncio.Event, work: Coroutine[Any, Any, object]) -> bool:
        """Does the work while all programs run; False when a signal came first. Raises ProgramEnded."""

        async def watch(held: Held) -> None:
            raise await held.wait_ended()

        return await first_of(work, stopping.wait(), *(watch(each) for each in self._programs)) == 0

    async def _start(self, stack: AsyncExitStack) -> None:
        """Starts all parts; returns once the page is complete."""
        self._say(f"a bookstore in a mesh of its own, at {self._home.path}")
        up = await self._hold(stack, "proa up", self._mesh.command("up"), UP_GRACE_S)
        await up.until(self._mesh.is_joined, START_S)
        self._tell("control plane and node agent run")
        await self._mesh.apply([str(config_path(file)) for file in OPENING_FILES])
        for each in PROGRAMS:
            await self._hold(stack, each.id.name, self._run_command(each), RUN_GRACE_S)
        gateway = await self._hold(stack, GATEWAY.id.name, self._gateway_command(), RUN_GRACE_S)
        stack.callback(self._ask_to_end)
        await self._until_healthy()
        await gateway.until(self._mesh.is_gateway_served, START_S)
        self._tell(f"the gateway serves port {GATEWAY_PORT}")
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PAGE_S)) as client:
            await gateway.until(lambda: _is_complete(client, self._mesh.page_url), START_S)
        self._tell("the page is complete")

    async def _hold(self, stack: AsyncExitStack, name: str, argv: tuple[str, ...], grace_s: float) -> Held:
        log = self._home.logs / f"{name.replace(' ', '-')}.log"
        held = await stack.enter_async_context(holding(name, argv, log=log, grace_s=grace_s))
        self._programs.append(held)
        return held

    def _ask_to_end(self) -> None:
        """Side by side: one after the other they would take seven times as long."""
        for each in self._programs[1:]:
            each.ask_to_end()

    def _run_command(self, each: Program) -> tuple[str, ...]:
        flags = {
            "name": each.id.name,
            "namespace": each.namespace,
            "service": each.service,
            "account": each.account,
            "port": f"{SERVICE_PORT}:auto/http",
            "health-http": HEALTH_PATH,
        }
        labels = [f"--label={key}={value}" for key, value in sorted(each.labels.items())]
        program = each.command(sys.executable)
        return self._mesh.command("run", *_flags(flags), *labels, "--log", "--", *program)

    def _gateway_command(self) -> tuple[str, ...]:
        flags = {"name": GATEWAY.id.name, "namespace": GATEWAY.id.namespace, "account": GATEWAY.account}
        labels = [f"--label={key}={value}" for key, value in sorted(GATEWAY.labels.items())]
        return self._mesh.command("gateway", *_flags(flags), *labels)

    async def _until_healthy(self) -> None:
        missing = {each.id for each in PROGRAMS}

        async def are_healthy() -> bool:
            for each in self._programs:
                each.check_running()
            for ready in sorted(missing & await self._mesh.healthy()):
                missing.discard(ready)
                self._tell(f"{ready.name} runs and is healthy")
            return not missing

        await self._programs[0].until(are_healthy, START_S)

    async def _prove(self, stopping: asyncio.Event) -> int:
        rows: list[CheckRow] = []

        def on_row(row: CheckRow) -> None:
            rows.append(row)
            self._say(_row_text(row))

        if not await self._undisturbed(stopping, check(self._mesh, on_row=on_row)):
            return 1
        failed = sum(not row.ok for row in rows)
        where = f"; logs are in {self._home.logs}" if failed else ""
        self._say(f"{len(rows) - failed} of {len(rows)} hold{where}")
        return 1 if failed else 0

    def _tell(self, text: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {text}")

    def _guide(self) -> str:
        return guide(self._mesh.page_url, self._home.path, Path(sys.executable).parent)


def guide(url: str, home: Path, programs: Path) -> str:
    """What to do now. The commands can be pasted as they are once the first line was: `programs` is the directory
    of this installation's `proa`, which a fresh clone has in no PATH."""

    def apply(file: str) -> str:
        return f"proa apply --wait -f {shlex.quote(str(config_path(file)))}"

    return GUIDE.format(
        url=url,
        surroundings=f"export PROA_HOME={shlex.quote(str(home))} PATH={shlex.quote(str(programs))}:$PATH",
        all_v1=apply("virtual-service-all-v1.yaml"),
        jason=apply("reviews-test-v2.yaml"),
        delay=apply("ratings-test-delay.yaml"),
    )


GUIDE: Final = """
The bookstore is open:

    {url}

Reload it: reviews come from three versions in turn, with no, black and red stars.

In another terminal, first:

     {surroundings}

Three things to try there:

  1. Everybody gets version 1, without stars:
     {all_v1}

  2. Jason alone (sign in as jason) gets version 2, with black stars:
     {jason}

  3. Ratings answer jason 7 seconds late; his page shows why time limits must fit together:
     {delay}

And look inside:
     proa proxy status
     proa certificate show reviews-v1
     proa exec productpage -- curl -s http://reviews:9080/reviews/0

Ctrl-C here ends everything.
"""


def _flags(values: dict[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in values.items()]


async def _is_complete(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url) as reply:
            text = await reply.text()
    except (aiohttp.ClientError, TimeoutError):
        return False
    return reply.status == 200 and "unavailable" not in text


def _row_text(row: CheckRow) -> str:
    head = f"{'ok' if row.ok else 'FAILED':6}  {row.name:46} {row.seconds:6.1f} s  "
    return head + (row.seen if row.ok else f"expected {row.expected}; seen: {row.seen}")
