"""A small SPIRE: agent and server with the published methods and messages, served by gRPC's own library. It signs with
real roots, so that chains are checked for what they are. A real one was not run: none is in a distribution that we test
on.

The messages are written by their numbers in the published files, apart from those of the adapter.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from proa.adapters.upstream_authorities.spire import SpireAccess
from proa.core.auth.ca import Ca, issue, make_root, private_pem
from proa.core.auth.spiffe import SpiffeId
from proa.core.auth.template import CertificateTemplate, intermediate_ca

TD = "spire.example"
DOWNSTREAM = SpiffeId(TD, "/mesh/control-plane")


def new_root(serial: int) -> Ca:
    return make_root(TD, ec.generate_private_key(ec.SECP256R1()), serial, time.time())


class Spire:
    """`roots`: the last one signs, all are in the bundle. `entry` is what the agent gives to whoever asks, `serves_as`
    whom the server shows, `downstream` who may have a CA. `down` is how the server fails, `ttl_s` the longest life of
    a CA."""

    def __init__(self) -> None:
        self.roots = [new_root(1)]
        self.entry: SpiffeId | None = DOWNSTREAM
        self.downstream = {str(DOWNSTREAM)}
        self.serves_as = SpiffeId(TD, "/spire/server")
        self.down: grpc.StatusCode | None = None
        self.ttl_s = 3600
        self.asked: list[int] = []
        self.fetched = 0
        self._serials = iter(range(1000, 2000))

    @property
    def bundle(self) -> list[bytes]:
        return [each.certificate.public_bytes(Encoding.DER) for each in self.roots]

    def svid(self, identity: SpiffeId) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        key, now = ec.generate_private_key(ec.SECP256R1()), int(time.time())
        template = CertificateTemplate(
            uri=identity, serial=next(self._serials), not_before=now - 60, not_after=now + 600
        )
        return key, issue(template, key.public_key(), self.roots[-1])

    async def fetch_x509_svid(self, _body: bytes, context: Any) -> AsyncIterator[bytes]:
        self.fetched += 1
        told = dict(context.invocation_metadata())
        if told.get("workload.spiffe.io") != "true":
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing from request")
        if self.entry is None:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "no identity issued")
        assert self.entry is not None
        key, certificate = self.svid(self.entry)
        secret = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        svid = (
            field(1, str(self.entry).encode())
            + field(2, certificate.public_bytes(Encoding.DER))
            + field(3, secret)
            + field(4, b"".join(self.bundle))
            + field(5, b"a hint")
        )
        yield field(1, svid) + field(2, b"a list of revoked ones")

    async def new_downstream_x509_ca(self, body: bytes, context: Any) -> bytes:
        caller = {name.decode() for name in context.peer_identities() or ()}
        if self.down is not None:
            await context.abort(self.down, "as the test wants it")
        if not caller & self.downstream:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "caller is not a downstream")
        asked = dict(fields(body))
        csr = x509.load_der_x509_csr(asked[1])
        assert csr.is_signature_valid
        self.asked.append(asked[2])
        key = csr.public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        signer, ttl = self.roots[-1], min(self.ttl_s, asked[2])
        template = intermediate_ca(TD, next(self._serials), signer.validity(time.time(), ttl))
        certificate = issue(template, key, signer)
        chain = field(1, certificate.public_bytes(Encoding.DER))
        return chain + b"".join(field(2, each) for each in self.bundle)


def field(number: int, value: bytes) -> bytes:
    """A length-delimited one."""
    return bytes((number << 3 | 2,)) + _varint(len(value)) + value


def fields(body: bytes) -> Iterator[tuple[int, Any]]:
    while body:
        number, kind = body[0] >> 3, body[0] & 7
        value, body = _read_varint(body[1:])
        if kind == 2:
            yield number, body[:value]
            body = body[value:]
        else:
            yield number, value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes((*found, value))


def _read_varint(body: bytes) -> tuple[int, bytes]:
    value = at = 0
    while True:
        value |= (body[at] & 127) << 7 * at
        at += 1
        if body[at - 1] < 128:
            return value, body[at:]


@contextlib.asynccontextmanager
async def running(folder: Path, spire: Spire) -> AsyncIterator[SpireAccess]:
    """`folder` is short: the agent's socket is in it."""
    agent, server = grpc.aio.server(), grpc.aio.server()
    stream: Any = grpc.unary_stream_rpc_method_handler(spire.fetch_x509_svid)
    unary: Any = grpc.unary_unary_rpc_method_handler(spire.new_downstream_x509_ca)
    generic: Any = grpc.method_handlers_generic_handler
    agent.add_generic_rpc_handlers((generic("SpiffeWorkloadAPI", {"FetchX509SVID": stream}),))
    server.add_generic_rpc_handlers(
        (generic("spire.api.server.svid.v1.SVID", {"NewDownstreamX509CA": unary}),)
    )
    socket = folder / "agent.sock"
    agent.add_insecure_port(f"unix:{socket}")
    key, certificate = spire.svid(spire.serves_as)
    pair = (private_pem(key).encode(), certificate.public_bytes(Encoding.PEM))
    roots = "".join(each.pem for each in spire.roots).encode()
    credentials = grpc.ssl_server_credentials([pair], roots, require_client_auth=True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await agent.start()
    await server.start()
    try:
        yield SpireAccess(socket=socket, host="127.0.0.1", port=port)
    finally:
        await agent.stop(None)
        await server.stop(None)
