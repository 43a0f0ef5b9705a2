"""A process of simulated proxies that poll over HTTP/1.1, for a control plane that only speaks so.

Obeys the swarm's commands (`until`, `dump`). Proxies poll at a fixed interval, evenly spread, and note when the
endpoint that changes came with which number. A body is decoded once, whoever gets it.
"""

import asyncio
import contextlib
import os
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.cpu import cpu_seconds
from benchmarks.propagation.swarm import Command, Report, Sample

PATH: Final = "/v3/discovery:endpoints"


class LbEndpoint(msgspec.Struct):
    load_balancing_weight: int = 0


class Group(msgspec.Struct):
    lb_endpoints: list[LbEndpoint] = []


class Assignment(msgspec.Struct):
    cluster_name: str
    endpoints: list[Group] = []


class Answer(msgspec.Struct):
    version_info: str
    resources: list[Assignment] = []


class Poller:
    def __init__(self, pollers: "Pollers", number: int) -> None:
        self.number = 0
        self.samples: list[Sample] = []
        self._pollers = pollers
        self._name = number
        self._version = "0"

    async def run(self, port: int, interval: float, offset: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.closing(writer):
            due = time.monotonic() + offset
            while True:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                due += interval
                writer.write(self._request())
                first_at, body = await _answer(reader)
                if body:
                    self._take(body, first_at)

    def _request(self) -> bytes:
        node = {"id": f"proxy-{self._name}", "cluster": "bench"}
        body = msgspec.json.encode({"node": node, "version_info": self._version, "resource_names": []})
        head = (
            f"POST {PATH} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def _take(self, body: bytes, first_at: int) -> None:
        self._version, number = self._pollers.read(body)
        if number > self.number:
            self.number = number
            self.samples.append((number, first_at, time.monotonic_ns()))
            self._pollers.news.set()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """(ns of the first byte, body); no body when nothing is new. Raises RuntimeError for any other answer."""
    status = await reader.readline()
    now, length = time.monotonic_ns(), 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        key, _, value = line.partition(b":")
        if key.lower() == b"content-length":
            length = int(value)
    if b" 304 " in status:
        return now, b""
    if b" 200 " not in status:
        raise RuntimeError(f"answered {status!r}")
    return now, await reader.readexactly(length)


class Pollers:
    def __init__(self, count: int, flipping: str) -> None:
        self.news = asyncio.Event()
        self.every = [Poller(self, number) for number in range(count)]
        self._flipping = flipping
        self._known: dict[bytes, tuple[str, int]] = {}

    def read(self, body: bytes) -> tuple[str, int]:
        """(version, number of the change)"""
        known = self._known.get(body)
        if known is None:
            answer = msgspec.json.decode(body, type=Answer)
            weights = [
                each.load_balancing_weight
                for assignment in answer.resources
                if assignment.cluster_name == self._flipping
                for group in assignment.endpoints
                for each in group.lb_endpoints
            ]
            known = self._known[body] = (answer.version_info, max(weights, default=0))
        return known

    async def obey(self, command: Command) -> Report:
        for poller in self.every:
            while poller.number < (command.until or 0):
                self.news.clear()
                await self.news.wait()
        if command.dump is not None:
            self.dump_samples(Path(command.dump))
        return Report(cpu=cpu_seconds(os.getpid()))

    def dump_samples(self, file: Path) -> None:
        file.write_bytes(msgspec.msgpack.encode([each.samples for each in self.every]))
        for each in self.every:
            each.samples = []


async def main(port: int, count: int, interval: float, flipping: str) -> None:
    pollers = Pollers(count, flipping)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with asyncio.TaskGroup() as tasks:
        for number, poller in enumerate(pollers.every):
            tasks.create_task(poller.run(port, interval, interval * number / count))
        while line := await reader.readline():
            report = await pollers.obey(msgspec.json.decode(line, type=Command))
            sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
