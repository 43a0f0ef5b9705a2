"""A CA that the operator brings: is it one that can sign for this mesh, and what has to be mended if not.

`proa serve --ca-cert --ca-key --ca-chain` reads three files and asks here. Everything is looked at, and everything that
is wrong is said at once, each with the flag that it is about and what to do.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final, TypeVar

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proa.core.auth.ca import Ca, name_text
from proa.core.auth.csr import MAX_RSA, MIN_RSA
from proa.core.auth.sign import CaKey
from proa.core.auth.spiffe import SCHEME, SpiffeId
from proa.core.auth.template import CONTROL_PLANE_DNS

E = TypeVar("E", bound=x509.ExtensionType)
MAX_CHAIN: Final = 8
"""Certificates from the signer to its root; longer ones are a mistake, and every handshake would carry them."""


class PluggedFiles(msgspec.Struct, frozen=True, kw_only=True):
    """The PEM texts. `chain` leads from the signer to its root; it may be empty when the signer is a root."""

    cert: str
    key: str
    chain: str = ""

    def __repr__(self) -> str:
        return "PluggedFiles(...)"


class Unusable(msgspec.Struct, frozen=True, kw_only=True):
    """Why these files are no CA for this mesh: one line each, with its flag in front."""

    faults: tuple[str, ...]


def read_plugged(files: PluggedFiles, trust_domain: str, now: float) -> Ca | Unusable:
    """The CA that signs leafs, with its chain to the root."""
    certificates, faults = _certificates("--ca-cert", files.cert)
    above, more = _certificates("--ca-chain", files.chain) if files.chain.strip() else ((), ())
    key = _key(files.key)
    found = [*faults, *more, *([key] if isinstance(key, str) else [])]
    if not certificates:
        return Unusable(faults=tuple(found))
    signer = certificates[0]
    # A chain file often begins with the signer again, and --ca-cert may itself hold the chain.
    issuers = _ordered(signer, (*certificates[1:], *above))
    found += _key_faults(key, signer)
    found += _chain_faults(signer, issuers)
    for depth, each in enumerate((signer, *issuers)):
        found += _ca_faults(each, depth, trust_domain, now)
    if found or isinstance(key, str):
        return Unusable(faults=tuple(found))
    return Ca(key=key, certificate=signer, issuers=issuers)


def _certificates(flag: str, pem: str) -> tuple[tuple[x509.Certificate, ...], tuple[str, ...]]:
    try:
        return tuple(x509.load_pem_x509_certificates(pem.encode())), ()
    except ValueError as error:
        return (), (
            f"{flag}: no certificates in PEM form can be read ({error}); give the file of the certificate",
        )


def _key(pem: str) -> CaKey | str:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except TypeError:
        return "--ca-key: the key has a passphrase; store it without (`openssl pkey -in KEY -out PLAIN`), mode 0600"
    except (ValueError, UnsupportedAlgorithm) as error:
        return f"--ca-key: no private key in PEM form can be read ({error}); give the file of the key"
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    if isinstance(key, rsa.RSAPrivateKey) and MIN_RSA <= key.key_size <= MAX_RSA:
        return key
    return f"--ca-key: the key is neither P-256, P-384 nor RSA of {MIN_RSA} to {MAX_RSA} bits; make the CA with one"


def _key_faults(key: CaKey | str, signer: x509.Certificate) -> Iterator[str]:
    if not isinstance(key, str) and key.public_key() != signer.public_key():
        yield "--ca-key: the key is not that of --ca-cert; give the pair that belongs together"


def _ordered(signer: x509.Certificate, pool: tuple[x509.Certificate, ...]) -> tuple[x509.Certificate, ...]:
    """From the signer upwards as far as the pool leads, whatever its order."""
    found: list[x509.Certificate] = []
    here = signer
    while len(found) < MAX_CHAIN and not _is_issued_by(here, here):
        above = next(
            (each for each in pool if each not in (here, *found) and _is_issued_by(here, each)), None
        )
        if above is None:
            break
        found.append(above)
        here = above
    return tuple(found)


def _chain_faults(signer: x509.Certificate, issuers: tuple[x509.Certificate, ...]) -> Iterator[str]:
    last = issuers[-1] if issuers else signer
    if not _is_issued_by(last, last):
        yield (
            f"--ca-chain: it does not lead from {_name(signer)} to a root: nothing in it signed {_name(last)}; "
            "append the certificates up to the self-signed root"
        )


def _ca_faults(certificate: x509.Certificate, depth: int, trust_domain: str, now: float) -> Iterator[str]:
    """Of one certificate with `depth` CAs of the chain below it."""
    flag = "--ca-cert" if depth == 0 else "--ca-chain"
    name = _name(certificate)
    try:
        extensions = certificate.extensions
    except ValueError as error:
        yield f"{flag}: {name} has extensions that cannot be read ({error}); have it made anew"
        return
    basic = _extension(extensions, x509.BasicConstraints)
    usage = _extension(extensions, x509.KeyUsage)
    if basic is None or not basic.ca:
        yield f"{flag}: {name} is no CA's certificate (CA:TRUE is missing); have it issued as a CA"
    elif basic.path_length is not None and basic.path_length < depth:
        yield (
            f"{flag}: {name} allows {basic.path_length} CAs below it, the chain has {depth}; "
            "have it issued with a greater path length"
        )
    if usage is not None and not usage.key_cert_sign:
        yield f"{flag}: {name} may not sign certificates (keyCertSign is missing); have it issued with that usage"
    yield from _time_faults(flag, name, certificate, now)
    yield from _name_faults(flag, name, extensions, trust_domain)


def _time_faults(flag: str, name: str, certificate: x509.Certificate, now: float) -> Iterator[str]:
    if now >= _seconds(certificate.not_valid_after_utc):
        yield f"{flag}: {name} expired on {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC; have it issued anew"
    if now < _seconds(certificate.not_valid_before_utc):
        yield (
            f"{flag}: {name} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; "
            "wait, or set this host's clock"
        )


def _name_faults(flag: str, name: str, extensions: x509.Extensions, trust_domain: str) -> Iterator[str]:
    names = _extension(extensions, x509.SubjectAlternativeName)
    for uri in names.get_values_for_type(x509.UniformResourceIdentifier) if names else ():
        if uri.lower().startswith(SCHEME) and uri != str(SpiffeId(trust_domain)):
            yield f"{flag}: {name} is of {uri}, the mesh of {SpiffeId(trust_domain)}; give --trust-domain or another CA"
    constraints = _extension(extensions, x509.NameConstraints)
    if constraints is None:
        return
    wanted = (
        (x509.UniformResourceIdentifier, trust_domain, f"SPIFFE ids of {trust_domain}"),
        (x509.DNSName, CONTROL_PLANE_DNS[0], f"the control plane's name {CONTROL_PLANE_DNS[0]}"),
        (x509.DNSName, f"w.ns.workload.{trust_domain}", f"workloads' names below workload.{trust_domain}"),
    )
    for kind, host, what in wanted:
        if not _is_permitted(constraints, kind, host):
            yield f"{flag}: the name constraints of {name} forbid {what}; have it issued so that they permit them"


def _is_permitted(constraints: x509.NameConstraints, kind: type[x509.GeneralName], host: str) -> bool:
    permitted = [each for each in constraints.permitted_subtrees or () if isinstance(each, kind)]
    excluded = [each for each in constraints.excluded_subtrees or () if isinstance(each, kind)]
    if any(_covers(each, host) for each in excluded):
        return False
    return not permitted or any(_covers(each, host) for each in permitted)


def _covers(subtree: x509.GeneralName, host: str) -> bool:
    """RFC 5280 §4.2.1.10: a DNS name covers what is below it; a URI's host only itself, unless it begins with a dot."""
    value = str(subtree.value).lower()
    if isinstance(subtree, x509.DNSName):
        return not value or host == value.lstrip(".") or host.endswith("." + value.lstrip("."))
    return host.endswith(value) if value.startswith(".") else host == value


def _extension(extensions: x509.Extensions, kind: type[E]) -> E | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _name(certificate: x509.Certificate) -> str:
    return name_text(certificate.subject) or f"the certificate {certificate.serial_number:x}"


def _seconds(time: datetime) -> float:
    return time.timestamp()
