"""Knocks at a sidecar's inbound port as those do who have no place in the mesh, and tells what came of it.

Four of them: a plain HTTP client; a TLS client without certificate; a workload of another mesh; and a forger
whose certificate carries one of our own identities, signed by a CA of his. Used by the demo's check and the
mesh tests.
"""

import asyncio
import contextlib
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from proa.core.auth.ca import issue, make_intermediate, make_root, private_pem, to_pem
from proa.core.auth.template import serial_from, workload_leaf
from proa.core.model.names import DEFAULT_TRUST_DOMAIN, WorkloadId, mesh_sni, service_hostname

REFUSED = "refused"
OTHER_TRUST_DOMAIN = "elsewhere.example"
PATIENCE_S = 20.0
_LEAF_TTL = 3600
# What a mesh client offers; a listener that told mesh TLS from other TLS by ALPN alone would be fooled here.
_ALPN = ["istio-http/1.1", "istio", "http/1.1"]

Intruders = Mapping[str, ssl.SSLContext | None]


def make_intruders(workload: WorkloadId, account: str, trust_domain: str = DEFAULT_TRUST_DOMAIN) -> Intruders:
    """By name, each with how it speaks; None is plain text. `workload` and `account` are whom the forger
    plays.
    """
    return {
        "plain HTTP": None,
        "TLS without certificate": _client_context(),
        "another mesh": _stranger_context(OTHER_TRUST_DOMAIN, workload, account),
        "forged identity": _stranger_context(trust_domain, workload, account),
    }


async def knock(
    address: tuple[str, int],
    service: WorkloadId,
    port: int,
    context: ssl.SSLContext | None,
    path: str = "/",
    *,
    patience_s: float = PATIENCE_S,
) -> str:
    """REFUSED when somebody listened and hung up without one byte of answer; otherwise what happened instead.

    `service` (namespace/name) and `port` make the SNI a mesh client would send. A closed port is not a
    refusal: it would make a sidecar that does not run look safe.
    """
    try:
        async with asyncio.timeout(patience_s):
            _, writer = await asyncio.open_connection(*address)
            writer.close()
            return await _ask(address, service, port, context, path)
    except TimeoutError:
        return f"silence for {patience_s} s"
    except OSError as error:
        return f"nobody listens: {error.strerror or error}"


async def _ask(
    address: tuple[str, int], service: WorkloadId, port: int, context: ssl.SSLContext | None, path: str
) -> str:
    host = service_hostname(service.name, service.namespace)
    server_name = mesh_sni(port, "", host) if context else None
    try:
        reader, writer = await asyncio.open_connection(*address, ssl=context, server_hostname=server_name)
    except ConnectionRefusedError:
        raise
    except (ssl.SSLError, ConnectionError):
        return REFUSED
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n".encode())
        # With TLS 1.3 the server judges our certificate after our handshake is done: its refusal comes as an
        # alert here.
        answer = await reader.read(4096)
    except (ssl.SSLError, ConnectionError):
        return REFUSED
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return f"answered {answer[:40]!r}" if answer else REFUSED


def _client_context() -> ssl.SSLContext:
    """Takes any server: whether the server takes us is the question."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(_ALPN)
    return context


def _stranger_context(trust_domain: str, workload: WorkloadId, account: str) -> ssl.SSLContext:
    """A well-formed workload certificate of that trust domain, from a CA made here and now."""
    now = time.time()
    root = make_root(trust_domain, _new_key(), _new_serial(), now)
    intermediate = make_intermediate(trust_domain, root, _new_key(), _new_serial(), now)
    key = _new_key()
    leaf = workload_leaf(
        trust_domain, workload, account, _new_serial(), intermediate.validity(now, _LEAF_TTL)
    )
    chain = to_pem(issue(leaf, key.public_key(), intermediate)) + intermediate.pem + root.pem
    context = _client_context()
    # The ssl module reads certificates from files only.
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "stranger.pem")
        file.write_text(private_pem(key) + chain)
        context.load_cert_chain(file)
    return context


def _new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _new_serial() -> int:
    return serial_from(os.urandom(20))
