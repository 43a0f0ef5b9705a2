"""`istio.v1.auth.IstioCertificateService`: how Istio's own agents, and others that speak it, get a certificate.

The caller is known by the bearer token in `authorization`, or by the certificate of its connection when it renews. The
answer's chain ends with the roots, as Istio's agents expect. Messages are ours, field for field as Istio's
`security/v1alpha1/ca.proto` has them: no package that we use carries them.
"""

from typing import Final, Protocol

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from proa.servers.grpc_edge import ByteStream, Peer, PeerRefused, Service, service

SERVICE: Final = "istio.v1.auth.IstioCertificateService"
BEARER: Final = "bearer "
_FIELD: Final = descriptor_pb2.FieldDescriptorProto


def _described() -> descriptor_pb2.FileDescriptorProto:
    request = descriptor_pb2.DescriptorProto(name="IstioCertificateRequest")
    request.field.add(name="csr", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_OPTIONAL)
    request.field.add(name="validity_duration", number=3, type=_FIELD.TYPE_INT64, label=_FIELD.LABEL_OPTIONAL)
    response = descriptor_pb2.DescriptorProto(name="IstioCertificateResponse")
    response.field.add(name="cert_chain", number=1, type=_FIELD.TYPE_STRING, label=_FIELD.LABEL_REPEATED)
    return descriptor_pb2.FileDescriptorProto(
        name="proa/istio_ca.proto",
        package="istio.v1.auth",
        syntax="proto3",
        message_type=[request, response],
    )


_KINDS: Final = message_factory.GetMessages([_described()], pool=descriptor_pool.DescriptorPool())
Request: Final[type[Message]] = _KINDS["istio.v1.auth.IstioCertificateRequest"]
Response: Final[type[Message]] = _KINDS["istio.v1.auth.IstioCertificateResponse"]


class CertificateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """`peer` is whom the connection's certificate names, None without one; `token` what `authorization` bears, "" for
    none; `address` where the caller is. `ttl_s` 0 leaves the life to the authority."""

    csr_pem: str
    ttl_s: int
    peer: Peer | None
    token: str
    address: str


class Certificates(Protocol):
    async def create(self, request: CertificateRequest) -> tuple[str, ...]:
        """PEM certificates, the leaf first. Raises PeerRefused with the reason, NotNow when it is too often."""


def istio_service(certificates: Certificates) -> Service:
    async def create(wire: ByteStream) -> None:
        body = await wire.read()
        message = Request()
        try:
            message.ParseFromString(body or b"")
        except DecodeError:
            raise PeerRefused("that is no IstioCertificateRequest") from None
        bearer = wire.metadata.get("authorization", "")
        request = CertificateRequest(
            csr_pem=getattr(message, "csr"),  # noqa: B009  # a field of a message described above
            ttl_s=max(0, getattr(message, "validity_duration")),  # noqa: B009
            peer=wire.certificate,
            token=bearer[len(BEARER) :].strip() if bearer.lower().startswith(BEARER) else "",
            address=wire.address,
        )
        chain = await certificates.create(request)
        await wire.write(Response(cert_chain=chain).SerializeToString())

    return service(SERVICE, {"CreateCertificate": create})
