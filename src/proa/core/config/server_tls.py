"""TLS that a proxy ends, as users write it of a gateway's server and of a sidecar's listener, and whether it fits
together. Called by these kinds' validators; Pilot reads the struct.

What Envoy refuses is refused here: a listener with one bad cipher would take all of its port's servers down.
"""

import base64
import binascii
from collections.abc import Iterator
from types import MappingProxyType
from typing import Literal

from proa.core.config.certificates import check_credential_name, check_file
from proa.core.config.near_names import suggestion
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning
from proa.core.config.record import Record
from proa.core.config.tree import shorten

TlsMode = Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]
TlsVersion = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]

# What BoringSSL knows of TLS 1.2 and before; the ciphers of TLS 1.3 cannot be chosen.
CIPHER_SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA",
    "ECDHE-RSA-AES256-SHA",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-SHA",
    "AES256-SHA",
)
ECDH_CURVES = ("X25519", "P-256", "P-384", "P-521", "X25519MLKEM768")
VERSIONS = ("TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3")
_OWN_CERTIFICATES = ("SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL")
_CHECKS_CLIENTS = ("MUTUAL", "OPTIONAL_MUTUAL")


class TlsCertificate(Record, frozen=True, kw_only=True):
    """Files on the proxy's host. `ca_certificates` has no effect, as in Istio."""

    IDLE = MappingProxyType({"caCertificates": "it has no effect in Istio either; that of tls has"})

    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""


class ServerTls(Record, frozen=True, kw_only=True):
    """Paths are of files on the proxy's host; credentials are secrets kept there by name. `verify_certificate_spki`
    is base64 and `verify_certificate_hash` hex, of SHA-256; a client's certificate that fits either passes."""

    https_redirect: bool = False
    mode: TlsMode = "PASSTHROUGH"
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    credential_names: tuple[str, ...] = ()
    ca_cert_credential_name: str = ""
    tls_certificates: tuple[TlsCertificate, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    verify_certificate_spki: tuple[str, ...] = ()
    verify_certificate_hash: tuple[str, ...] = ()
    min_protocol_version: TlsVersion = "TLS_AUTO"
    max_protocol_version: TlsVersion = "TLS_AUTO"
    cipher_suites: tuple[str, ...] = ()
    insecure_skip_verify: bool = False
    ecdh_curves: tuple[str, ...] = ()

    @property
    def all_credentials(self) -> tuple[str, ...]:
        """The secrets with the server's own certificates."""
        return (self.credential_name,) if self.credential_name else self.credential_names

    @property
    def pairs(self) -> tuple[TlsCertificate, ...]:
        """The files with the server's own certificates."""
        if self.tls_certificates:
            return self.tls_certificates
        if not self.server_certificate and not self.private_key:
            return ()
        return (TlsCertificate(server_certificate=self.server_certificate, private_key=self.private_key),)


def check_server_tls(tls: ServerTls, at: Path) -> Iterator[Finding]:
    """The settings among each other, of a proxy that may end TLS there."""
    yield from _check_certificates(tls, at)
    yield from _check_clients(tls, at)
    yield from _check_parameters(tls, at)


def _own(tls: ServerTls) -> dict[str, object]:
    """The fields with certificates, of the server and of those it trusts, that are filled."""
    fields = {
        "serverCertificate": tls.server_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
        "caCrl": tls.ca_crl,
        "credentialName": tls.credential_name,
        "credentialNames": tls.credential_names,
        "caCertCredentialName": tls.ca_cert_credential_name,
        "tlsCertificates": tls.tls_certificates,
    }
    return {name: value for name, value in fields.items() if value}


def _check_certificates(tls: ServerTls, at: Path) -> Iterator[Finding]:
    given = _own(tls)
    if tls.mode not in _OWN_CERTIFICATES:
        for name in given:
            if tls.mode == "ISTIO_MUTUAL":
                yield Finding(
                    (*at, name), "conflict", f"ISTIO_MUTUAL uses the mesh's certificates; remove {name}"
                )
            else:
                yield warning((*at, name), "no-effect", f"{tls.mode} ends no TLS; remove {name}")
        return
    sources = [
        name
        for name in ("credentialName", "credentialNames", "tlsCertificates", "serverCertificate")
        if name in given
    ]
    if len(sources) > 1:
        yield Finding((*at, sources[1]), "conflict", f"{' and '.join(sources)} exclude each other; keep one")
    if not tls.all_credentials:
        yield from _check_files(tls, at)
    for name in ("credentialNames", "tlsCertificates"):
        value = given.get(name)
        if isinstance(value, tuple) and len(value) > 2:
            message = f"{len(value)} are too many; give one RSA and one ECDSA certificate at most"
            yield Finding((*at, name), "out-of-range", message)
    yield from _check_credential_names(tls, at)
    if tls.mode in _CHECKS_CLIENTS:
        yield from _check_roots(tls, at)
    else:
        for name in ("caCertificates", "caCrl", "caCertCredentialName"):
            if name in given:
                yield warning(
                    (*at, name), "no-effect", f"SIMPLE asks for no client certificate; remove {name}"
                )


def _check_files(tls: ServerTls, at: Path) -> Iterator[Finding]:
    if tls.tls_certificates:
        for index, pair in enumerate(tls.tls_certificates):
            place = (*at, "tlsCertificates", index)
            yield from check_file(pair.server_certificate, place, "serverCertificate", is_required=True)
            yield from check_file(pair.private_key, place, "privateKey", is_required=True)
            if pair.ca_certificates:
                message = "caCertificates has no effect in tlsCertificates; write it in tls"
                yield warning((*place, "caCertificates"), "no-effect", message)
        return
    message = f"{tls.mode} needs a certificate; add credentialName, or serverCertificate and privateKey"
    if not tls.server_certificate and not tls.private_key:
        yield Finding(at, "required", message)
        return
    yield from check_file(tls.server_certificate, at, "serverCertificate", is_required=True)
    yield from check_file(tls.private_key, at, "privateKey", is_required=True)


def _check_credential_names(tls: ServerTls, at: Path) -> Iterator[Finding]:
    named = [
        ((*at, "credentialName"), tls.credential_name),
        ((*at, "caCertCredentialName"), tls.ca_cert_credential_name),
    ]
    for path, name in named:
        if name:
            yield from check_credential_name(name, path)
    for index, name in enumerate(tls.credential_names):
        yield from check_credential_name(name, (*at, "credentialNames", index))


def _check_roots(tls: ServerTls, at: Path) -> Iterator[Finding]:
    has_secret = bool(tls.all_credentials or tls.ca_cert_credential_name)
    if tls.ca_certificates and tls.ca_cert_credential_name:
        message = "caCertificates and caCertCredentialName exclude each other; keep one"
        yield Finding((*at, "caCertCredentialName"), "conflict", message)
    yield from check_file(tls.ca_certificates, at, "caCertificates")
    yield from check_file(tls.ca_crl, at, "caCrl")
    if not tls.ca_certificates and not has_secret:
        message = (
            f"{tls.mode} needs to know who vouches for clients; add caCertificates or caCertCredentialName"
        )
        yield Finding(at, "required", message)
    if tls.ca_crl and not tls.ca_certificates:
        message = "caCrl goes with caCertificates; a secret carries a list of its own"
        yield Finding((*at, "caCrl"), "conflict", message)


def _check_clients(tls: ServerTls, at: Path) -> Iterator[Finding]:
    fields: dict[str, object] = {
        "subjectAltNames": tls.subject_alt_names,
        "verifyCertificateSpki": tls.verify_certificate_spki,
        "verifyCertificateHash": tls.verify_certificate_hash,
        "insecureSkipVerify": tls.insecure_skip_verify,
    }
    given = [name for name, value in fields.items() if value]
    if tls.mode == "ISTIO_MUTUAL":
        for name in given:
            if name != "subjectAltNames":
                message = f"{name} does not go with the mesh's certificates; remove it"
                yield Finding((*at, name), "conflict", message)
    elif tls.mode not in _CHECKS_CLIENTS:
        for name in given:
            yield warning(
                (*at, name), "no-effect", f"{tls.mode} asks for no client certificate; remove {name}"
            )
    for index, pin in enumerate(tls.verify_certificate_spki):
        if not _is_base64_sha256(pin):
            message = f'"{shorten(pin)}" is no SHA-256 in base64; write its 44 characters'
            yield Finding((*at, "verifyCertificateSpki", index), "bad-value", message)
    for index, pin in enumerate(tls.verify_certificate_hash):
        if not _is_hex_sha256(pin):
            message = f'"{shorten(pin)}" is no SHA-256 in hex; write its 64 digits, with colons or without'
            yield Finding((*at, "verifyCertificateHash", index), "bad-value", message)
    for index, name in enumerate(tls.subject_alt_names):
        if not name:
            yield Finding((*at, "subjectAltNames", index), "bad-value", "a name is empty; write or remove it")


def _is_base64_sha256(text: str) -> bool:
    try:
        return len(text) == 44 and len(base64.b64decode(text, validate=True)) == 32
    except (binascii.Error, ValueError):
        return False


def _is_hex_sha256(text: str) -> bool:
    pairs = text.split(":") if ":" in text else [text[cut : cut + 2] for cut in range(0, len(text), 2)]
    return len(pairs) == 32 and all(
        len(pair) == 2 and all(char in "0123456789abcdefABCDEF" for char in pair) for pair in pairs
    )


def _check_parameters(tls: ServerTls, at: Path) -> Iterator[Finding]:
    fields: dict[str, object] = {
        "minProtocolVersion": tls.min_protocol_version != "TLS_AUTO",
        "maxProtocolVersion": tls.max_protocol_version != "TLS_AUTO",
        "cipherSuites": tls.cipher_suites,
        "ecdhCurves": tls.ecdh_curves,
    }
    if tls.mode in ("PASSTHROUGH", "AUTO_PASSTHROUGH"):
        for name in (name for name, value in fields.items() if value):
            yield warning((*at, name), "no-effect", f"{tls.mode} ends no TLS; remove {name}")
    low, high = tls.min_protocol_version, tls.max_protocol_version
    effective = "TLSV1_2" if low == "TLS_AUTO" else low
    if high != "TLS_AUTO" and VERSIONS.index(effective) > VERSIONS.index(high):
        said = f"minProtocolVersion {low}" if low != "TLS_AUTO" else f"the default lowest version {effective}"
        message = f"no version is from {said} to {high}; lower the one or raise the other"
        yield Finding((*at, "maxProtocolVersion"), "conflict", message)
    if tls.mode == "ISTIO_MUTUAL":
        for name in (name for name, value in fields.items() if value):
            message = f"the mesh's own TLS is always 1.3; remove {name}"
            yield warning((*at, name), "no-effect", message)
    yield from _check_words(tls.cipher_suites, CIPHER_SUITES, (*at, "cipherSuites"), "cipher suite")
    yield from _check_words(tls.ecdh_curves, ECDH_CURVES, (*at, "ecdhCurves"), "curve")


def _check_words(words: tuple[str, ...], known: tuple[str, ...], at: Path, what: str) -> Iterator[Finding]:
    for index, word in enumerate(words):
        if word not in known:
            hint = suggestion(word, known) or f"; there are {', '.join(known)}"
            yield Finding((*at, index), "bad-value", f'"{shorten(word)}" is no {what}{hint}')
        elif word in words[:index]:
            yield Finding((*at, index), "duplicate", f"{word} stands here twice; remove one")
