"""The load generators: h2load at a fixed rate, wrk as fast as answers come. Both speak HTTP/1.1 with keep-alive."""

import asyncio
import re
import shutil
import time
from pathlib import Path

import msgspec

from benchmarks.data_plane.pair import AUTHORITY, BODY, Pair
from benchmarks.figures import Skipped
from benchmarks.workshop import Workshop

CONNECTIONS = 20


class Window(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in the part of a run that counts: warm-up is not in it. CPU in seconds, per sidecar."""

    seconds: float
    requests: int
    client_cpu: float
    server_cpu: float
    achieved: float = 1.0

    @property
    def cpu(self) -> float:
        return self.client_cpu + self.server_cpu


def need(*tools: str) -> None:
    """Raises Skipped when a tool is not installed."""
    for tool in tools:
        if shutil.which(tool) is None:
            raise Skipped(f"{tool} is not installed (Debian: wrk, nghttp2-client)")


async def fixed_rate(
    shop: Workshop, pair: Pair, rate: int, warm_up: float, seconds: float, connections: int = CONNECTIONS
) -> Window:
    """`rate` requests per second over so many connections. Raises RuntimeError on any wrong answer."""
    log: Path = shop.directory / f"h2load-{time.monotonic_ns()}.log"
    each = rate // connections
    total = round((warm_up + seconds + 0.3) * each) * connections
    argv = [
        "h2load",
        "--h1",
        f"-c{connections}",
        "-t1",
        f"-n{total}",
        f"--rps={each}",
        f"--log-file={log}",
        f"--connect-to=127.0.0.1:{pair.port}",
        f"http://{AUTHORITY}/",
    ]
    running = await _spawn(shop, argv)
    await asyncio.sleep(warm_up)
    began, before = time.time(), pair.cpu()
    await asyncio.sleep(seconds)
    ended, after = time.time(), pair.cpu()
    output = await _output(running, 30)
    _check_h2load(pair, output, total)
    done = sum(began * 1e6 <= at + took < ended * 1e6 for at, took in _log_lines(log))
    return Window(
        seconds=ended - began,
        requests=done,
        client_cpu=after[0] - before[0],
        server_cpu=after[1] - before[1],
        achieved=done / (ended - began) / (each * connections),
    )


def _log_lines(log: Path) -> list[tuple[int, int]]:
    """(start, duration) of every request in microseconds; h2load writes start, status, duration."""
    lines = (line.split("\t") for line in log.read_text().splitlines())
    return [(int(line[0]), int(line[2])) for line in lines if len(line) >= 3]


def _check_h2load(pair: Pair, output: str, total: int) -> None:
    statuses = re.search(r"status codes: (\d+) 2xx", output)
    traffic = re.search(r"\((\d+)\) data", output)
    if statuses is None or traffic is None or int(statuses[1]) != total:
        raise RuntimeError(f"{pair.name}: not every request was answered well: {output[-600:]}")
    if int(traffic[1]) != total * len(BODY):
        raise RuntimeError(f"{pair.name}: {traffic[1]} bytes of bodies for {total} requests")


async def saturate(shop: Workshop, pair: Pair, warm_up: float, seconds: float) -> Window:
    """As many requests as are answered, over CONNECTIONS connections. Raises RuntimeError on a wrong answer."""
    await _wrk(shop, pair, warm_up)
    before = pair.cpu()
    requests, took = await _wrk(shop, pair, seconds)
    after = pair.cpu()
    return Window(
        seconds=took, requests=requests, client_cpu=after[0] - before[0], server_cpu=after[1] - before[1]
    )


async def _wrk(shop: Workshop, pair: Pair, seconds: float) -> tuple[int, float]:
    argv = [
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{max(1, round(seconds))}s",
        "-H",
        f"Host: {AUTHORITY}",
        f"http://127.0.0.1:{pair.port}/",
    ]
    output = await _output(await _spawn(shop, argv), seconds + 20)
    found = re.search(r"(\d+) requests in ([\d.]+)s, ([\d.]+)([KMG])B read", output)
    if found is None or "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"{pair.name}: wrk saw failures: {output[-600:]}")
    requests = int(found[1])
    read = float(found[3]) * {"K": 2**10, "M": 2**20, "G": 2**30}[found[4]]
    if read < 0.99 * requests * len(BODY):
        raise RuntimeError(f"{pair.name}: {read:.0f} bytes for {requests} requests of {len(BODY)}")
    return requests, float(found[2])


async def _spawn(shop: Workshop, argv: list[str]) -> asyncio.subprocess.Process:
    command = shop.cores.pinned(shop.cores.driving, argv)
    return await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


async def _output(running: asyncio.subprocess.Process, seconds: float) -> str:
    try:
        async with asyncio.timeout(seconds):
            output, _ = await running.communicate()
    finally:
        if running.returncode is None:
            running.kill()
            await running.wait()
    return output.decode(errors="replace")
