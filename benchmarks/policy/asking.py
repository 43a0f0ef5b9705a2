"""The driver of B15, run as a program with a file of its Asking: asks as proxies do, over a few connections, looks at
every answer, and prints what it saw. Frames are cut by hand (`propagation.h2_client`), so that it costs little."""

import asyncio
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import msgspec
from envoy.service.auth.v3.external_auth_pb2 import CheckResponse

from benchmarks.policy.scene import SERVER, Asked, Asking, context
from benchmarks.propagation.h2_client import Call, Connection, connect
from proa.core.auth.spiffe import workload_id
from proa.core.model.names import DEFAULT_TRUST_DOMAIN
from proa.node.credentials import Credential

METHOD = "/envoy.service.auth.v3.Authorization/Check"
PATIENCE_S = 30.0


class Driver:
    """`done` is set when the last call is answered. Latencies count from when a call was due."""

    def __init__(self, asking: Asking, connections: list[Connection]) -> None:
        self.latencies: list[float] = []
        self.done = asyncio.Event()
        self._metadata = dict(context())
        self._connections = cycle(connections)
        bodies = (Path(file).read_bytes() for file in asking.bodies)
        self._questions = cycle(list(zip(bodies, asking.codes, strict=True)))
        self._under_way = 0
        self._ends = time.monotonic() + asking.seconds
        self._again = asking.rate == 0
        self.faults: list[str] = []

    def ask(self, due_ns: int) -> None:
        connection, (body, code) = next(self._connections), next(self._questions)
        self._under_way += 1
        call: Call = connection.call(
            METHOD, self._metadata, lambda answer, now: self._answered(answer, due_ns, code, finish)
        )

        def finish() -> None:
            connection.forget(call)

        call.send(body)
        call.finish()
        connection.flush()

    def _answered(self, answer: bytes, due_ns: int, code: int, finish: Callable[[], None]) -> None:
        self.latencies.append((time.monotonic_ns() - due_ns) / 1e6)
        finish()
        self._under_way -= 1
        if (found := CheckResponse.FromString(answer).status.code) != code:
            self.faults.append(f"{found} in place of {code}")
        if self._again and time.monotonic() < self._ends:
            self.ask(time.monotonic_ns())
        elif not self._under_way and time.monotonic() >= self._ends:
            self.done.set()

    async def at_rate(self, rate: float) -> None:
        began = time.monotonic()
        sent = 0
        while (now := time.monotonic()) < self._ends:
            while sent < (now - began) * rate:
                self.ask(int((began + sent / rate) * 1e9))
                sent += 1
            await asyncio.sleep(0.001)
        if not self._under_way:
            self.done.set()


async def main(asking: Asking) -> None:
    credential = Credential(
        key_pem=asking.key_pem,
        chain_pem=asking.chain_pem,
        bundles={DEFAULT_TRUST_DOMAIN: asking.root_pem},
        identity=str(workload_id(DEFAULT_TRUST_DOMAIN, SERVER.namespace, SERVER.name)),
        not_before=0,
        not_after=0,
        servers=(asking.address,),
    )
    connections = [await connect(credential) for _ in range(asking.connections)]
    driver = Driver(asking, connections)
    began, cpu = time.monotonic(), time.process_time()
    if asking.rate:
        await driver.at_rate(asking.rate)
    else:
        for _ in range(asking.in_flight):
            driver.ask(time.monotonic_ns())
    async with asyncio.timeout(PATIENCE_S + asking.seconds):
        await driver.done.wait()
    seconds = time.monotonic() - began
    for connection in connections:
        driver.faults += connection.ended()
        connection.close()
    if driver.faults:
        sys.exit(f"{len(driver.faults)} answers were wrong, the first: {driver.faults[0]}")
    asked = Asked(
        calls=len(driver.latencies),
        seconds=seconds,
        own_cpu=time.process_time() - cpu,
        latencies=tuple(driver.latencies),
    )
    sys.stdout.buffer.write(msgspec.json.encode(asked))


if __name__ == "__main__":
    asyncio.run(main(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Asking)))
