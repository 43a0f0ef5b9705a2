"""What operators are shown of the control plane's state: its values in the admin API's words.

Called by the operations; reads what it is given and decides nothing.
"""

from collections.abc import Iterator, Mapping

import msgspec
import orjson
from google.protobuf import json_format
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.control_plane.federation import Believed
from proa.control_plane.keyring import Keyring
from proa.control_plane.proxies import ProxyStream
from proa.control_plane.scope_bundle import Name
from proa.core.auth.ca import name_text
from proa.core.auth.operators import Operator
from proa.core.auth.root_rotation import phase_of
from proa.core.auth.trust_bundle import roots_in
from proa.core.config import Config, Json, to_manifest
from proa.core.config.kinds.destination_rule.schema import DerivedTls
from proa.core.config.kinds.virtual_service.schema import DerivedRoutes
from proa.core.config.legacy.today import Today
from proa.core.model.names import ObjectRef, WorkloadId
from proa.core.pilot.resource import ORDER, Resource
from proa.ports.authority_store import Issuance
from proa.ports.config_store import StoredObject
from proa.servers.admin.authority import (
    AuthorityStatus,
    FederatedRoot,
    FederationStatus,
    RootStatus,
    SignerStatus,
)
from proa.servers.admin.operations import CertificateStatus, OfferedResource, Rejection, TypeStatus


def manifest_text(config: Config) -> str:
    manifest: dict[str, Json] = to_manifest(config)
    return orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS).decode()


def as_stored(config: Config) -> StoredObject:
    return StoredObject(
        ref=config.ref,
        api_version=config.api_version,
        manifest=manifest_text(config),
        file="",
        line=0,
        version=0,
        author="watched directory",
        time=0.0,
        created=0.0,
    )


def as_derived(today: Today, place: tuple[str, int]) -> StoredObject:
    """An object made of old ones, with the place of the most important of them."""
    others = len(today.sources) - 1
    more = f" and {others} more" if others else ""
    config = today.config
    if isinstance(config.spec, DerivedRoutes | DerivedTls):
        config = msgspec.structs.replace(config, spec=config.spec.as_written())
    shown = as_stored(config)
    author = f"converted from {today.sources[0]}{more}"
    return msgspec.structs.replace(shown, author=author, file=place[0], line=place[1])


def show_rejection(objects: tuple[ObjectRef, ...], name: str, kind: str, error: str) -> Rejection:
    return Rejection(objects=objects, resource=name, type=kind, error=error)


def show_types(stream: ProxyStream) -> tuple[TypeStatus, ...]:
    pending, rejected = stream.server.pending(), stream.server.rejected()
    found: list[TypeStatus] = []
    for kind in ORDER:
        waiting = sum(1 for each, _ in pending if each is kind)
        refused = sum(1 for each, _ in rejected if each is kind)
        synced = len(stream.server.acked(kind))
        if waiting or refused or synced:
            found.append(TypeStatus(type=kind.name, synced=synced, pending=waiting, rejected=refused))
    return tuple(found)


def resource_order(name: Name) -> tuple[int, str]:
    return ORDER.index(name[0]), name[1]


def show_offered(resource: Resource, is_pending: bool, rejected: tuple[str, str] | None) -> OfferedResource:
    body = json_format.MessageToDict(AnyMessage.FromString(resource.body))
    return OfferedResource(
        type=resource.type.name,
        name=resource.name,
        version=resource.digest,
        state="rejected" if rejected else "pending" if is_pending else "synced",
        objects=resource.objects,
        error=rejected[1] if rejected else "",
        body=msgspec.Raw(orjson.dumps(body)),
    )


def show_certificate(issuance: Issuance, workload: WorkloadId | None, node: str) -> CertificateStatus:
    return CertificateStatus(
        workload=workload,
        node=node,
        identity=issuance.identity,
        issuer=issuance.issuer,
        root=issuance.root_sha256,
        dns_names=issuance.dns_names,
        serial=issuance.serial,
        not_before=issuance.not_before,
        not_after=issuance.not_after,
    )


def show_operator(issuance: Issuance, operator: Operator) -> CertificateStatus:
    shown = show_certificate(issuance, None, "")
    return msgspec.structs.replace(shown, operator=f"{operator.name} ({operator.role})")


def show_authority(keyring: Keyring, waiting: tuple[str, ...]) -> AuthorityStatus:
    active, signer = keyring.active, keyring.signer_now
    roots = tuple(
        RootStatus(
            digest=kept.root.digest,
            phase=phase_of(kept.root, active.root),
            subject=name_text(kept.ca.root.subject),
            prepared_at=kept.root.prepared_at,
            activated_at=kept.root.activated_at or 0.0,
            not_before=int(kept.ca.root.not_valid_before_utc.timestamp()),
            not_after=int(kept.ca.root.not_valid_after_utc.timestamp()),
            is_plugged=kept.is_plugged,
        )
        for kept in keyring.kept
    )
    return AuthorityStatus(
        roots=roots,
        signer=SignerStatus(
            subject=name_text(signer.certificate.subject),
            serial=f"{signer.certificate.serial_number:x}",
            root=active.root.digest,
            not_before=signer.not_before,
            not_after=signer.not_after,
            is_plugged=active.is_plugged,
        ),
        waiting=waiting,
    )


def show_federations(believed: Believed, failing: Mapping[str, str]) -> Iterator[FederationStatus]:
    """By trust domain."""
    for each in believed.federations:
        known = believed.bundles.get(each.trust_domain)
        yield FederationStatus(
            trust_domain=each.trust_domain,
            object=str(each.ref),
            namespaces=each.namespaces,
            roots=tuple(
                FederatedRoot(digest=digest, not_after=ends)
                for digest, ends in roots_in(known.pem if known else "")
            ),
            endpoint=each.endpoint.url if each.endpoint is not None else "",
            failing=failing.get(each.trust_domain, ""),
        )
