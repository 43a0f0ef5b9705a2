import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from proa.core.auth.ca import Ca, issue, make_root, private_pem, to_pem
from proa.core.auth.template import workload_leaf
from proa.core.model.names import WorkloadId
from proa.demo.intruder import REFUSED, knock, make_intruders

CLIENT = WorkloadId("default", "productpage-v1")
SERVICE = WorkloadId("default", "reviews")
Address = tuple[str, int]


@asynccontextmanager
async def _server(answer: bytes | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[Address]:
    """Answers each connection that says something; b"" hangs up, None stays silent until the client goes."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(4096)
            if answer is None:
                await reader.read()
            elif answer:
                writer.write(answer)
                await writer.drain()
        except OSError:
            pass  # the knock that only looks whether somebody listens, and refused handshakes
        finally:
            writer.close()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()


def _outcomes(
    answer: bytes | None, tls: ssl.SSLContext | None = None, patience_s: float = 60.0
) -> dict[str, str]:
    async def run() -> dict[str, str]:
        async with _server(answer, tls) as address:
            return {
                name: await knock(address, SERVICE, 9080, context, patience_s=patience_s)
                for name, context in make_intruders(CLIENT, "bookinfo-productpage").items()
            }

    return asyncio.run(run())


def _sidecar_context(directory: Path, *, asks_for_certificate: bool) -> ssl.SSLContext:
    """TLS as a sidecar's: its own certificate, and clients must have one of the same root."""
    now = time.time()
    key = ec.generate_private_key(ec.SECP256R1())
    root: Ca = make_root("cluster.local", ec.generate_private_key(ec.SECP256R1()), 1, now)
    leaf = workload_leaf(
        "cluster.local", WorkloadId("default", "reviews-v1"), "bookinfo-reviews", 2, root.validity(now, 60)
    )
    chain = directory / "chain.pem"
    chain.write_text(private_pem(key) + to_pem(issue(leaf, key.public_key(), root)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    if asks_for_certificate:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=root.pem)
    return context


def test_a_sidecar_refuses_everybody(tmp_path: Path) -> None:
    outcomes = _outcomes(b"HTTP/1.1 200 OK\r\n\r\n", _sidecar_context(tmp_path, asks_for_certificate=True))
    assert outcomes == {
        "plain HTTP": REFUSED,
        "TLS without certificate": REFUSED,
        "another mesh": REFUSED,
        "forged identity": REFUSED,
    }


def test_tls_that_asks_for_no_certificate_is_found_out(tmp_path: Path) -> None:
    outcomes = _outcomes(b"HTTP/1.1 200 OK\r\n\r\n", _sidecar_context(tmp_path, asks_for_certificate=False))
    assert outcomes.pop("plain HTTP") == REFUSED
    assert len(outcomes) == 3
    assert all(outcome.startswith("answered") for outcome in outcomes.values())


def test_a_plain_server_is_found_out() -> None:
    outcomes = _outcomes(b"HTTP/1.1 403 Forbidden\r\n\r\n")
    assert outcomes["plain HTTP"] == "answered b'HTTP/1.1 403 Forbidden\\r\\n\\r\\n'"


def test_hanging_up_is_refusing_and_silence_is_not() -> None:
    assert _outcomes(b"")["plain HTTP"] == REFUSED
    assert _outcomes(None, patience_s=0.5)["plain HTTP"] == "silence for 0.5 s"


@pytest.mark.parametrize("name", ["plain HTTP", "another mesh"])
def test_a_closed_port_is_no_refusal(name: str) -> None:
    async def run() -> str:
        async with _server(b"") as address:
            pass
        context = make_intruders(CLIENT, "bookinfo-productpage")[name]
        return await knock(address, SERVICE, 9080, context)

    assert asyncio.run(run()).startswith("nobody listens")
