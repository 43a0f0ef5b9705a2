"""SPIFFE's Workload API as values: the messages of its published `workload.proto` that we speak, read and written.

Agents serve it to programs, control planes ask it of SPIRE. On the wire certificates are DER, one after the other, and
keys PKCS#8; here all are PEM.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
)
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

from proa.core.auth.spiffe import InvalidSpiffeId, SpiffeId, parse_spiffe_id

SERVICE: Final = "SpiffeWorkloadAPI"
"""It has no package."""
FETCH_SVIDS: Final = "FetchX509SVID"
FETCH_BUNDLES: Final = "FetchX509Bundles"
SECURITY: Final = ("workload.spiffe.io", "true")
"""Metadata of every call (Workload Endpoint §7): shows that no browser was tricked into asking."""
_FIELD: Final = descriptor_pb2.FieldDescriptorProto


def _described() -> descriptor_pb2.FileDescriptorProto:
    one, many, of_bytes = _FIELD.LABEL_OPTIONAL, _FIELD.LABEL_REPEATED, _FIELD.TYPE_BYTES
    svid = descriptor_pb2.DescriptorProto(name="X509SVID")
    svid.field.add(name="spiffe_id", number=1, type=_FIELD.TYPE_STRING, label=one)
    svid.field.add(name="x509_svid", number=2, type=of_bytes, label=one)
    svid.field.add(name="x509_svid_key", number=3, type=of_bytes, label=one)
    svid.field.add(name="bundle", number=4, type=of_bytes, label=one)
    svids = descriptor_pb2.DescriptorProto(name="X509SVIDResponse")
    svids.field.add(
        name="svids", number=1, type=_FIELD.TYPE_MESSAGE, label=many, type_name=".proa.spiffe.X509SVID"
    )
    # A map on the wire is repeated entries of a key and a value.
    entry = descriptor_pb2.DescriptorProto(name="Entry")
    entry.field.add(name="key", number=1, type=_FIELD.TYPE_STRING, label=one)
    entry.field.add(name="value", number=2, type=of_bytes, label=one)
    svids.field.add(
        name="federated_bundles",
        number=3,
        type=_FIELD.TYPE_MESSAGE,
        label=many,
        type_name=".proa.spiffe.Entry",
    )
    bundles = descriptor_pb2.DescriptorProto(name="X509BundlesResponse")
    bundles.field.add(
        name="bundles", number=2, type=_FIELD.TYPE_MESSAGE, label=many, type_name=".proa.spiffe.Entry"
    )
    return descriptor_pb2.FileDescriptorProto(
        name="proa/spiffe.proto",
        package="proa.spiffe",  # on the wire only numbers count
        syntax="proto3",
        message_type=[svid, entry, svids, bundles],
    )


_KINDS: Final = message_factory.GetMessages([_described()], pool=descriptor_pool.DescriptorPool())
_Svid: Final[type[Message]] = _KINDS["proa.spiffe.X509SVID"]
_Svids: Final[type[Message]] = _KINDS["proa.spiffe.X509SVIDResponse"]
_Entry: Final[type[Message]] = _KINDS["proa.spiffe.Entry"]
_Bundles: Final[type[Message]] = _KINDS["proa.spiffe.X509BundlesResponse"]


class Svid(msgspec.Struct, frozen=True, kw_only=True):
    """An identity in PEM: the leaf with what leads to its root, its key, and the roots of its trust domain."""

    identity: SpiffeId
    chain: str
    key: str
    bundle: str

    def __repr__(self) -> str:
        return f"Svid({self.identity})"


class BadAnswer(ValueError):
    """It is not what the API says."""


def write_svids(svid: Svid, federated: Mapping[str, str]) -> bytes:
    """An X509SVIDResponse. `federated`: other trust domains -> PEM of their roots."""
    key = load_pem_private_key(svid.key.encode(), None)
    message = _Svid(
        spiffe_id=str(svid.identity),
        x509_svid=_der(svid.chain),
        x509_svid_key=key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
        bundle=_der(svid.bundle),
    )
    return _Svids(svids=[message], federated_bundles=_entries(federated)).SerializeToString(
        deterministic=True
    )


def write_bundles(bundles: Mapping[str, str]) -> bytes:
    """An X509BundlesResponse; by trust domain, PEM."""
    return _Bundles(bundles=_entries(bundles)).SerializeToString(deterministic=True)


def read_svids(body: bytes) -> tuple[Svid, ...]:
    """Of an X509SVIDResponse, the default one first. Raises BadAnswer."""
    message = _Svids()
    try:
        message.ParseFromString(body)
        found = getattr(message, "svids")  # noqa: B009  # a field of a message described above
        return tuple(_read(each.spiffe_id, each.x509_svid, each.x509_svid_key, each.bundle) for each in found)
    except (DecodeError, ValueError, TypeError, UnsupportedAlgorithm, InvalidSpiffeId) as error:
        raise BadAnswer(f"an identity that cannot be read: {error}") from None


def read_bundles(body: bytes) -> dict[str, str]:
    """Of an X509BundlesResponse: SPIFFE id of the trust domain -> PEM. Raises BadAnswer."""
    message = _Bundles()
    try:
        message.ParseFromString(body)
        found = getattr(message, "bundles")  # noqa: B009
        return {each.key: _pem(each.value) for each in found}
    except (DecodeError, ValueError) as error:
        raise BadAnswer(f"bundles that cannot be read: {error}") from None


def cut(der: bytes) -> tuple[bytes, ...]:
    """Certificates that stand one after the other. Raises ValueError for what is none."""
    found: list[bytes] = []
    while der:
        if len(der) < 4 or der[0] != 0x30:
            raise ValueError("no certificate")
        size, head = der[1], 2
        if size & 0x80:
            digits = size & 0x7F
            size, head = int.from_bytes(der[2 : 2 + digits], "big"), 2 + digits
        if len(der) < head + size:
            raise ValueError("a certificate is cut short")
        found.append(der[: head + size])
        der = der[head + size :]
    return tuple(found)


def _read(identity: str, chain: bytes, key: bytes, bundle: bytes) -> Svid:
    secret = load_der_private_key(key, None)
    return Svid(
        identity=parse_spiffe_id(identity),
        chain=_pem(chain),
        key=secret.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        bundle=_pem(bundle),
    )


def _entries(bundles: Mapping[str, str]) -> list[Message]:
    return [_Entry(key=str(SpiffeId(domain)), value=_der(pem)) for domain, pem in sorted(bundles.items())]


def _der(pem: str) -> bytes:
    return b"".join(each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(pem.encode()))


def _pem(der: bytes) -> str:
    return "".join(
        x509.load_der_x509_certificate(each).public_bytes(Encoding.PEM).decode() for each in cut(der)
    )
