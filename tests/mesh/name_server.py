"""A DNS server of the test's own on loopback, so that names can be looked up where there is no network.

    with NameServer({"a.example": ["192.0.2.1"]}) as names:
        f"dnsResolvers: ['{names.address}']"
        names.known["b.example"] = ["192.0.2.2"]

Answers A and AAAA of what it knows, `*.` for all below; else that there is no such name. Answers age in a second.
"""

import socket
import struct
import threading
from ipaddress import ip_address
from types import TracebackType
from typing import Final

_TYPES: Final = {1: 4, 28: 6}
_NO_SUCH_NAME: Final = 3


class NameServer:
    """`asked` are the names in order of the questions."""

    def __init__(self, known: dict[str, list[str]]) -> None:
        self.known = known
        self.asked: list[str] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    @property
    def address(self) -> str:
        host, port = self._socket.getsockname()
        return f"{host}:{port}"

    def __enter__(self) -> "NameServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            question, sender = self._socket.recvfrom(4096)
            if not question:
                return
            self._socket.sendto(self._answer(question), sender)

    def _answer(self, question: bytes) -> bytes:
        labels, at = [], 12
        while length := question[at]:
            labels.append(question[at + 1 : at + 1 + length].decode())
            at += 1 + length
        (asked_type,) = struct.unpack("!H", question[at + 1 : at + 3])
        name = ".".join(labels).lower()
        self.asked.append(name)
        addresses = self._addresses(name)
        found = [ip_address(each) for each in addresses or []]
        records = [each.packed for each in found if each.version == _TYPES.get(asked_type)]
        status = 0x8180 | (0 if addresses is not None else _NO_SUCH_NAME)
        head = question[:2] + struct.pack("!5H", status, 1, len(records), 0, 0) + question[12 : at + 5]
        body = [struct.pack("!3HIH", 0xC00C, asked_type, 1, 1, len(each)) + each for each in records]
        return head + b"".join(body)

    def _addresses(self, name: str) -> list[str] | None:
        if name in self.known:
            return self.known[name]
        labels = name.split(".")
        wider = (f"*.{'.'.join(labels[cut:])}" for cut in range(1, len(labels)))
        return next((self.known[each] for each in wider if each in self.known), None)
