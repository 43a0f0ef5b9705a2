"""Whether a FederatedTrustDomain makes sense. Called through the kinds table.

Of a bundle only the form is seen here: whether each certificate is one, and a CA's, `core.auth.trust_bundle` tells,
and what is none is not accepted. That the domain is not the mesh's own is known where the mesh is known.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import msgspec

from proa.core.config.kinds.federated_trust_domain.schema import (
    EVERY_NAMESPACE,
    BundleEndpointProfile,
    FederatedTrustDomain,
)
from proa.core.config.labels import is_namespace_name
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten
from proa.core.model.names import ROOT_NAMESPACE

SPEC: Final[Path] = ("spec",)
MAX_BUNDLE: Final = 256 * 1024
"""Characters of a bundle: each node that needs it has a copy."""
TRUST_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}", re.ASCII)
SPIFFE_ID: Final = re.compile(r"spiffe://([a-z0-9._-]{1,255})(/[A-Za-z0-9._-]+)*", re.ASCII)
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----")


def validate(spec: FederatedTrustDomain, meta: Meta) -> Iterator[Finding]:
    if meta.namespace != ROOT_NAMESPACE:
        message = f"whom a mesh trusts is said in one place; write namespace {ROOT_NAMESPACE}"
        yield Finding(("metadata", "namespace"), "bad-value", message)
    if spec.trust_domain and not TRUST_DOMAIN.fullmatch(spec.trust_domain):
        rule = "it has small letters, digits, dots, dashes, underscores"
        message = f'"{shorten(spec.trust_domain)}" is no trust domain; {rule}'
        yield Finding((*SPEC, "trustDomain"), "bad-value", message)
    yield from _check_namespaces(spec)
    if spec.trust_domain_bundle and (fault := bundle_fault(spec.trust_domain_bundle)):
        yield Finding((*SPEC, "trustDomainBundle"), "bad-value", fault)
    yield from _check_endpoint(spec)


def _check_namespaces(spec: FederatedTrustDomain) -> Iterator[Finding]:
    for index, name in enumerate(spec.namespaces):
        at: Path = (*SPEC, "namespaces", index)
        if name != EVERY_NAMESPACE and name and not is_namespace_name(name):
            yield Finding(at, "bad-value", f'"{shorten(name)}" is no namespace; write a name, or * for all')
        elif name in spec.namespaces[:index]:
            yield Finding(at, "duplicate", f'"{shorten(name)}" is there already; remove one')
    if EVERY_NAMESPACE in spec.namespaces and len(spec.namespaces) > 1:
        yield Finding((*SPEC, "namespaces"), "conflict", "* is all of them; remove the others, or the *")


def _check_endpoint(spec: FederatedTrustDomain) -> Iterator[Finding]:
    url, profile = spec.bundle_endpoint_url, spec.bundle_endpoint_profile
    if not url and not spec.trust_domain_bundle:
        message = (
            "there is no bundle; write trustDomainBundle, or bundleEndpointURL and bundleEndpointProfile"
        )
        yield Finding(SPEC, "required", message)
    if url and not _is_https(url):
        message = f'"{shorten(url)}" is no address of a bundle endpoint; write https:// and a host'
        yield Finding((*SPEC, "bundleEndpointURL"), "bad-value", message)
    if url and profile is None:
        message = "how the endpoint's server is known is not said; write type https_web or https_spiffe"
        yield Finding((*SPEC, "bundleEndpointProfile"), "required", message)
    if profile is not None:
        at: Path = (*SPEC, "bundleEndpointProfile")
        if not url:
            yield Finding(
                at, "conflict", "there is no endpoint; write bundleEndpointURL, or remove the profile"
            )
        yield from _check_profile(spec, profile, at)


def _check_profile(spec: FederatedTrustDomain, profile: BundleEndpointProfile, at: Path) -> Iterator[Finding]:
    identity = profile.endpoint_spiffe_id
    if profile.type == "https_web":
        if identity:
            message = "https_web knows the server by its web certificate; remove this, or write https_spiffe"
            yield Finding((*at, "endpointSPIFFEID"), "conflict", message)
        return
    found = SPIFFE_ID.fullmatch(identity)
    if not identity:
        yield Finding(
            (*at, "endpointSPIFFEID"), "required", "https_spiffe needs the server's SPIFFE id; write it"
        )
    elif found is None:
        message = (
            f'"{shorten(identity)}" is no SPIFFE id; write one like spiffe://partner.example/spire/server'
        )
        yield Finding((*at, "endpointSPIFFEID"), "bad-value", message)
    elif found[1] != spec.trust_domain:
        message = (
            f"an endpoint of another trust domain than {shorten(spec.trust_domain)} is not supported yet"
        )
        yield Finding((*at, "endpointSPIFFEID"), "not-supported-yet", message)
    if not spec.trust_domain_bundle:
        message = (
            "the first answer of an https_spiffe endpoint is checked by a bundle; write trustDomainBundle"
        )
        yield Finding((*SPEC, "trustDomainBundle"), "required", message)


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return (
            parts.scheme == "https" and bool(parts.hostname) and (parts.port or 1) > 0 and not parts.username
        )
    except ValueError:
        return False


def bundle_fault(text: str) -> str | None:
    """What is wrong with the form of a bundle, None for a good one."""
    if len(text) > MAX_BUNDLE:
        return f"a bundle of {len(text)} characters; at most {MAX_BUNDLE} are taken"
    if text.lstrip().startswith("{"):
        return _document_fault(text)
    blocks = _BLOCK.findall(text)
    if any("PRIVATE KEY" in name for name, _ in blocks):
        return "there is a private key in it, which is nobody's business; write certificates alone"
    certificates = [body for name, body in blocks if name == "CERTIFICATE"]
    if not certificates:
        return "no certificate is in it; write PEM (BEGIN CERTIFICATE) or a SPIFFE bundle document"
    if len(certificates) != len(blocks) or not all(_is_der("".join(each.split())) for each in certificates):
        return "a block in it is no certificate; write PEM certificates alone"
    return None


def _document_fault(text: str) -> str | None:
    try:
        value: object = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        return f"not JSON: {shorten(str(error))}; write a SPIFFE bundle document"
    keys = value.get("keys") if isinstance(value, dict) else None
    if not isinstance(keys, list):
        return 'a SPIFFE bundle document is {"keys": [...]}; write one'
    x509 = [key for key in keys if isinstance(key, dict) and key.get("use") == "x509-svid"]
    if not x509:
        return 'no key of it has use "x509-svid"; what verifies JWTs alone says of nobody who calls'
    for key in x509:
        chain = key.get("x5c")
        if (
            not isinstance(chain, list)
            or len(chain) != 1
            or not isinstance(chain[0], str)
            or not _is_der(chain[0])
        ):
            return 'each key of use "x509-svid" has one certificate in "x5c", in base64'
    return None


def _is_der(text: str) -> bool:
    """A sequence, as every certificate is."""
    try:
        return base64.b64decode(text, validate=True)[:1] == b"\x30"
    except (binascii.Error, ValueError):
        return False
