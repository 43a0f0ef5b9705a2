"""The limit no Python server gets below: one prebuilt frame with its own nonce for every stream, encrypted and handed
to the kernel, 25 streams to a connection. No protocol, no tasks, no ACKs; the sockets' other ends only swallow.
"""

import contextlib
import socket
import ssl
import tempfile
import time
from statistics import median

from benchmarks.propagation.mesh import PER_NODE
from benchmarks.workshop import Certificates

_RESPONSE = 1_500
"""Bytes of one response with the set of ten endpoints that flips."""

_ROUNDS = 7


class _Line:
    """One connection after its handshake."""

    def __init__(self, server: ssl.SSLContext, client: ssl.SSLContext) -> None:
        self.ours, self.theirs = socket.socketpair()
        self._plain_in, self._wire_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = server.wrap_bio(self._plain_in, self._wire_out, server_side=True)
        peer_in, peer_out = ssl.MemoryBIO(), ssl.MemoryBIO()
        peer = client.wrap_bio(peer_in, peer_out, server_hostname="ideal")
        for _ in range(4):
            for end in (peer, self._tls):
                with contextlib.suppress(ssl.SSLWantReadError):
                    end.do_handshake()
            self._plain_in.write(peer_out.read())
            peer_in.write(self._wire_out.read())

    def push(self, frame: bytes) -> None:
        self._tls.write(frame)
        self.ours.send(self._wire_out.read())

    def swallow(self) -> None:
        while len(self.theirs.recv(1 << 20)) == 1 << 20:
            pass

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


def ideal_push_ms(certificates: Certificates, proxies: int) -> float:
    """Median over rounds of the milliseconds until the last stream's frame is with the kernel."""
    key, chain = certificates.control_plane()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(key + chain)
        file.flush()
        server.load_cert_chain(file.name)
    lines = [_Line(server, client) for _ in range(-(-proxies // PER_NODE))]
    body, took = bytes(_RESPONSE), []
    try:
        for nonce in range(_ROUNDS):
            began = time.perf_counter()
            for stream in range(proxies):
                head = (_RESPONSE + 9).to_bytes(3, "big") + b"\0\0" + (2 * stream + 1).to_bytes(4, "big")
                lines[stream // PER_NODE].push(b"".join((head, body, b"%09d" % nonce)))
            took.append((time.perf_counter() - began) * 1000)
            for line in lines:
                line.swallow()
    finally:
        for line in lines:
            line.close()
    return median(took)
