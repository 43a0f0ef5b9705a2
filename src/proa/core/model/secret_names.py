"""How a proxy asks its node agent for certificates that an operator gave, as names of SDS.

Pilot writes these names into listeners and clusters; the agent of the proxy's host reads them and answers with what
lies there: keys never travel. Two forms, spelled as in Istio where Istio has one:

    credential:NAME          certificate and key of the secret NAME     file-cert:CERTIFICATE~KEY
    credential-roots:NAME    whom the secret NAME trusts                file-root:ROOTS[~CRL]

The mesh's own certificate and roots have fixed names, and so have the bundles of federation: `PEER_ROOTS` is whom a
server believes (the mesh, and the partners that its namespace accepts), `partner_roots` one partner alone, for clients:
a partner's authority must never vouch for a server of ours, nor for another partner's.
"""

from typing import Final, Literal

import msgspec

PEER_ROOTS: Final = "proa:peers"
PARTNER_ROOTS: Final = "proa:partner:"
CREDENTIAL: Final = "credential:"
CREDENTIAL_ROOTS: Final = "credential-roots:"
FILE_CERTIFICATE: Final = "file-cert:"
FILE_ROOTS: Final = "file-root:"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which secret is asked for: of a `credential` by name, or of files (certificate and key; roots and, if there is
    one, the list of revoked certificates)."""

    part: Literal["certificate", "roots"]
    credential: str = ""
    files: tuple[str, ...] = ()


def partner_roots(trust_domain: str) -> str:
    return f"{PARTNER_ROOTS}{trust_domain}"


def credential_secret(name: str) -> str:
    return f"{CREDENTIAL}{name}"


def credential_roots_secret(name: str) -> str:
    return f"{CREDENTIAL_ROOTS}{name}"


def file_secret(certificate: str, key: str) -> str:
    """Paths have no `~`; the language sees to it."""
    return f"{FILE_CERTIFICATE}{certificate}~{key}"


def file_roots_secret(roots: str, crl: str = "") -> str:
    return f"{FILE_ROOTS}{roots}~{crl}" if crl else f"{FILE_ROOTS}{roots}"


def parse_secret_name(name: str) -> Wanted | None:
    """None for what is no operator's: the mesh's own certificate and roots, or a name of nobody's."""
    if name.startswith(CREDENTIAL):
        return Wanted(part="certificate", credential=name.removeprefix(CREDENTIAL))
    if name.startswith(CREDENTIAL_ROOTS):
        return Wanted(part="roots", credential=name.removeprefix(CREDENTIAL_ROOTS))
    if name.startswith(FILE_CERTIFICATE):
        paths = tuple(name.removeprefix(FILE_CERTIFICATE).split("~"))
        return Wanted(part="certificate", files=paths) if len(paths) == 2 and all(paths) else None
    if name.startswith(FILE_ROOTS):
        paths = tuple(name.removeprefix(FILE_ROOTS).split("~"))
        return Wanted(part="roots", files=paths) if len(paths) in (1, 2) and all(paths) else None
    return None


def secret_name_fault(name: str) -> str | None:
    """What is wrong with the name of a secret, which becomes a file's; None for a good one."""
    is_good = name.isascii() and all(char.isalnum() or char in "-._" for char in name)
    if is_good and name[:1].isalnum() and len(name) <= 200:
        return None
    return f'"{name[:80]}" is no name of a secret; write letters, digits, dashes and dots, a letter or digit first'
