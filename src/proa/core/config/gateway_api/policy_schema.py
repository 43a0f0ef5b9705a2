"""What a BackendTLSPolicy says, as users write it."""

from typing import Literal

import msgspec

from proa.core.config.gateway_api.schema import ApiRecord


class TargetRef(ApiRecord, frozen=True, kw_only=True):
    """A Service of the policy's namespace; `section_name` is the name of one of its ports."""

    group: str = ""
    kind: str = "Service"
    name: str
    section_name: str = ""


class CaRef(ApiRecord, frozen=True, kw_only=True):
    """Certificates to trust, kept on the host of each proxy that calls (`proa secret create ca`)."""

    group: str = ""
    kind: str = "ConfigMap"
    name: str


class SubjectAltName(ApiRecord, frozen=True, kw_only=True):
    """The one field that `type` names."""

    type: Literal["Hostname", "URI"]
    hostname: str = ""
    uri: str = ""


class Validation(ApiRecord, frozen=True, kw_only=True):
    """`hostname` is what is asked for in SNI, and whom the server must be unless `subject_alt_names` says others."""

    hostname: str
    ca_certificate_refs: tuple[CaRef, ...] = ()
    well_known_ca_certificates: Literal["System"] | None = msgspec.field(
        default=None, name="wellKnownCACertificates"
    )
    subject_alt_names: tuple[SubjectAltName, ...] = ()


class BackendTlsPolicy(ApiRecord, frozen=True, kw_only=True):
    """Callers of these Services begin TLS with them."""

    NOT_YET = ("options",)

    target_refs: tuple[TargetRef, ...]
    validation: Validation
