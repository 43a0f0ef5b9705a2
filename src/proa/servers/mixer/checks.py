"""`envoy.service.auth.v3.Authorization`: a proxy asks whether a request may go on.

Who asks is the workload whose certificate the connection shows; at which of its ports, and which rules are meant, say
the call's metadata that Pilot gave the filter (`proa-port`), or `context_extensions` (`port`) where an Envoy of
somebody else's has them in its routes. They come over the workload's own connection, so that they can only lead it to
questions about itself.
"""

from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import unquote

import msgspec
from cryptography import x509
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest
from google.protobuf.message import DecodeError

from proa.core.auth.spiffe import SCHEME, workload_of_dns_name
from proa.core.config.mixer.annotations import FailurePolicy
from proa.core.mixer.answers import answer
from proa.core.mixer.asked import Asked, read_check
from proa.core.mixer.context import NO_PEER, ON_FAILURE, PEER, PORT, read_context
from proa.core.mixer.plan.verdict import Verdict
from proa.core.model.names import WorkloadId
from proa.servers.grpc_edge import ByteStream, Peer, PeerRefused, Service, service

SERVICE: Final = "envoy.service.auth.v3.Authorization"
CERTIFICATES: Final = 4096
"""Peers' certificates whose names are remembered."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """`server` asks about a request to its `port`; `context` is all that Pilot gave the filter. `caller` is the
    workload that calls, None for a stranger."""

    server: WorkloadId
    port: int
    context: dict[str, str]
    asked: Asked
    caller: WorkloadId | None


class Checks(Protocol):
    async def check(self, question: Question) -> Verdict:
        """Never fails: a rule that cannot be decided is decided by its failure policy."""


def checks_service(checks: Checks, trust_domain: str) -> Service:
    async def check(wire: ByteStream) -> None:
        server = server_of(wire.certificate, trust_domain)
        body = await wire.read()
        try:
            request = CheckRequest.FromString(body or b"")
        except DecodeError:
            raise PeerRefused("that is no CheckRequest") from None
        context = {**request.attributes.context_extensions, **read_context(wire.metadata)}
        asked = read_check(request, workload_name)
        if context.get(PEER) == NO_PEER:
            asked = msgspec.structs.replace(asked, identity="", workload="")
        port = context.get(PORT, "")
        question = Question(
            server=server,
            port=int(port) if port.isdecimal() else 0,
            context=context,
            asked=asked,
            caller=caller_of(asked, trust_domain),
        )
        verdict = await checks.check(question)
        policy: FailurePolicy = "open" if context.get(ON_FAILURE) == "open" else "closed"
        await wire.write(answer(verdict, asked, policy).SerializeToString())

    return service(SERVICE, {"Check": check})


def server_of(peer: Peer | None, trust_domain: str) -> WorkloadId:
    """The workload of the mesh whose proxy asks. Raises PeerRefused for anybody else."""
    for name in peer.names if peer else ():
        workload = workload_of_dns_name(name, trust_domain)
        if peer is not None and workload is not None and peer.identity.trust_domain == trust_domain:
            return workload
    raise PeerRefused(f"only workloads of {trust_domain} ask Mixer", "wrong identity")


def caller_of(asked: Asked, trust_domain: str) -> WorkloadId | None:
    """Of the mesh's own trust domain: a partner's authority writes what names it likes into its certificates."""
    if not asked.identity.startswith(f"{SCHEME}{trust_domain}/"):
        return None
    return workload_of_dns_name(asked.workload, trust_domain)


@lru_cache(maxsize=CERTIFICATES)
def workload_name(certificate: str) -> str:
    """The DNS name in a certificate as Envoy tells it: PEM, written for a URL. "" where there is none. The chain was
    verified by the proxy that tells it."""
    try:
        leaf = x509.load_pem_x509_certificate(unquote(certificate).encode())
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return ""
    return next(iter(names.get_values_for_type(x509.DNSName)), "")
