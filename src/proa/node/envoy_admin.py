"""An Envoy's admin interface over its Unix socket: readiness, listeners, drain, statistics."""

import re
import socket
import struct
from pathlib import Path
from types import TracebackType
from typing import Final
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from proa.core.sidecar.listener_counts import COUNTERS, PREFIX, ListenerCounts, read_counts

TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=2)
_GONE: Final = (aiohttp.ClientError, TimeoutError, OSError)


class AdminUnavailable(Exception):
    """The Envoy does not answer: it starts, ends, or is stuck."""


class Listeners(msgspec.Struct, frozen=True, kw_only=True):
    class Status(msgspec.Struct, frozen=True, kw_only=True):
        class Address(msgspec.Struct, frozen=True, kw_only=True):
            class Socket(msgspec.Struct, frozen=True, kw_only=True):
                address: str = ""
                port_value: int = 0

            socket_address: Socket | None = None

        name: str = ""
        local_address: Address | None = None
        additional_local_addresses: tuple[Address, ...] = ()

    listener_statuses: tuple[Status, ...] = ()

    @property
    def ports(self) -> frozenset[int]:
        addresses = [
            address
            for status in self.listener_statuses
            for address in (status.local_address, *status.additional_local_addresses)
        ]
        return frozenset(each.socket_address.port_value for each in addresses if each and each.socket_address)


class Activity(msgspec.Struct, frozen=True, kw_only=True):
    """`open` requests and raw TCP connections now, `total` ever begun."""

    open: int
    total: int


def listener_of(path: Path) -> int:
    """The pid of the process that listens at a Unix socket, 0 for none: the kernel remembers who called listen(2)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except OSError:
            return 0
        pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return int(pid)


class EnvoyAdmin:
    """A client for one Envoy; close it."""

    def __init__(self, socket: Path) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(str(socket), force_close=True), timeout=TIMEOUT, trust_env=False
        )

    async def __aenter__(self) -> "EnvoyAdmin":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def ask(self, path: str, method: str = "GET") -> tuple[int, bytes]:
        """(status, body). Raises AdminUnavailable."""
        try:
            async with self._session.request(method, URL(f"http://envoy{path}", encoded=True)) as answer:
                return answer.status, await answer.read()
        except _GONE as error:
            raise AdminUnavailable(str(error) or type(error).__name__) from None

    async def page(self, path: str, most: int) -> str:
        """The text of a page of at most `most` bytes. Raises AdminUnavailable."""
        try:
            async with self._session.get(URL(f"http://envoy{path}", encoded=True)) as answer:
                if answer.status != 200:
                    raise AdminUnavailable(f"{path} answers {answer.status}")
                body = bytearray()
                async for piece in answer.content.iter_chunked(256 * 1024):
                    body += piece
                    if len(body) > most:
                        raise AdminUnavailable(f"{path} has more than {most} bytes")
                return body.decode(errors="replace")
        except _GONE as error:
            raise AdminUnavailable(str(error) or type(error).__name__) from None

    async def answers(self) -> bool:
        try:
            await self.ask("/ready")
        except AdminUnavailable:
            return False
        return True

    async def is_listening(self, ports: frozenset[int]) -> bool:
        """Initialised, nothing warming, and a listener on each of the ports."""
        try:
            ready, _ = await self.ask("/ready")
            if ready != 200:
                return False
            status, body = await self.ask("/listeners?format=json")
            if status != 200 or not ports <= msgspec.json.decode(body, type=Listeners).ports:
                return False
            stats = await self._stats("^listener_manager\\.(total_listeners_warming|workers_started)$")
        except AdminUnavailable:
            return False
        return stats.get("listener_manager.workers_started") == 1 and not stats.get(
            "listener_manager.total_listeners_warming"
        )

    async def serves(self, ports: frozenset[int]) -> bool:
        """Initialised, with a listener on each of the ports; another may be warming, as in a change that goes on."""
        try:
            ready, _ = await self.ask("/ready")
            status, body = await self.ask("/listeners?format=json")
            return ready == status == 200 and ports <= msgspec.json.decode(body, type=Listeners).ports
        except (AdminUnavailable, msgspec.DecodeError):
            return False

    async def start_drain(self) -> None:
        """Open connections end with their next response; the listeners stay, the process too."""
        await self.ask("/drain_listeners?graceful&skip_exit", "POST")

    async def activity(self) -> Activity:
        """Raises AdminUnavailable."""
        stats = await self._stats("^(http|tcp)\\..*\\.downstream_(rq|cx)_(active|total)$")
        ours = {name: value for name, value in stats.items() if not name.startswith("http.admin.")}

        def summed(http: str, tcp: str) -> int:
            return sum(
                value
                for name, value in ours.items()
                if name.endswith(http if name.startswith("http.") else tcp)
            )

        return Activity(
            open=summed(".downstream_rq_active", ".downstream_cx_active"),
            total=summed(".downstream_rq_total", ".downstream_cx_total"),
        )

    async def listener_counts(self) -> ListenerCounts:
        """Raises AdminUnavailable."""
        return read_counts(await self._stats(f"^{re.escape(PREFIX)}({'|'.join(COUNTERS)})$"))

    async def _stats(self, pattern: str) -> dict[str, int]:
        status, body = await self.ask(f"/stats?filter={quote(pattern, safe='')}")
        found: dict[str, int] = {}
        if status != 200:
            return found
        for line in body.decode().splitlines():
            name, _, value = line.rpartition(": ")
            if value.isdigit():
                found[name] = int(value)
        return found
