"""SPIFFE ids: who a process is, as it stands in a certificate. Parsing, building, and which shape means what.

The authority builds ids here, Pilot names them in validation contexts, servers read them from certificates.
A SpiffeId that exists is valid by the SPIFFE specification ("The SPIFFE Identity and Verifiable Identity
Document" §2); Proa is stricter where the specification leaves a choice: nothing is normalised, so an id has
exactly one spelling and comparing text is comparing identity.
"""

import re
from typing import Final

import msgspec

from proa.core.model.names import ROOT_NAMESPACE, WorkloadId

SCHEME: Final = "spiffe://"
CONTROL_PLANE_ACCOUNT: Final = "proa"
MAX_TRUST_DOMAIN: Final = 255  # bytes, SPIFFE ID §2.1
MAX_ID: Final = 2048  # bytes, SPIFFE ID §2.3
MAX_DNS_NAME: Final = 253  # RFC 1035

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


class InvalidSpiffeId(ValueError):
    """Text or parts that make no SPIFFE id; the message says which rule they break."""


class SpiffeId(msgspec.Struct, frozen=True, order=True):
    """`path` is empty (the trust domain itself, as CAs carry) or starts with `/`.

    Raises InvalidSpiffeId when made of parts that are not valid.
    """

    trust_domain: str
    path: str = ""

    def __post_init__(self) -> None:
        problem = trust_domain_problem(self.trust_domain) or path_problem(self.path)
        if problem is None and len(SCHEME + self.trust_domain + self.path) > MAX_ID:
            problem = f"longer than {MAX_ID} bytes"
        if problem is not None:
            raise InvalidSpiffeId(f"{SCHEME}{self.trust_domain}{self.path}: {problem}")

    def __str__(self) -> str:
        return f"{SCHEME}{self.trust_domain}{self.path}"


def trust_domain_problem(name: str) -> str | None:
    """Why `name` is no trust domain, None when it is one."""
    if not name:
        return "the trust domain is empty"
    if len(name) > MAX_TRUST_DOMAIN:
        return f"the trust domain is longer than {MAX_TRUST_DOMAIN} bytes"
    if not _TRUST_DOMAIN.fullmatch(name):
        return "a trust domain has lower-case letters, digits, dots, dashes and underscores only"
    return None


def path_problem(path: str) -> str | None:
    """Why `path` is no path of a SPIFFE id, None when it is one."""
    if not path:
        return None
    if not path.startswith("/"):
        return "a path starts with a slash"
    for segment in path[1:].split("/"):
        if not segment:
            return "a path has no empty segments and no slash at its end"
        if segment in (".", ".."):
            return "a path has no dot segments"
        if not _SEGMENT.fullmatch(segment):
            return "a path segment has letters, digits, dots, dashes and underscores only"
    return None


def parse_spiffe_id(text: str) -> SpiffeId:
    """Inverse of str(SpiffeId). Raises InvalidSpiffeId, for upper-case schemes and percent signs too."""
    if not text.startswith(SCHEME):
        raise InvalidSpiffeId(f"{text[:80]}: does not start with {SCHEME}")
    domain, slash, rest = text[len(SCHEME) :].partition("/")
    return SpiffeId(domain, slash + rest)


def workload_id(trust_domain: str, namespace: str, account: str) -> SpiffeId:
    """`spiffe://<td>/ns/<namespace>/sa/<account>`."""
    return SpiffeId(trust_domain, f"/ns/{_segment(namespace)}/sa/{_segment(account)}")


def node_id(trust_domain: str, node: str) -> SpiffeId:
    """`spiffe://<td>/proa/node/<node>`: speaks for a node to the control plane and is no workload's id."""
    return SpiffeId(trust_domain, f"/proa/node/{_segment(node)}")


def control_plane_id(trust_domain: str) -> SpiffeId:
    """`spiffe://<td>/ns/istio-system/sa/proa`."""
    return workload_id(trust_domain, ROOT_NAMESPACE, CONTROL_PLANE_ACCOUNT)


def account_of(identity: SpiffeId) -> tuple[str, str] | None:
    """(namespace, account) of a workload's id; None for any other shape."""
    match identity.path.split("/"):
        case ["", "ns", namespace, "sa", account]:
            return namespace, account
    return None


def node_of(identity: SpiffeId) -> str | None:
    """The node's name in a node's id; None for any other shape."""
    match identity.path.split("/"):
        case ["", "proa", "node", node]:
            return node
    return None


def is_dns_label(text: str) -> bool:
    """RFC 1123 label: what a namespace, a service or a node may be called."""
    return _DNS_LABEL.fullmatch(text) is not None


def is_dns_name(text: str) -> bool:
    """RFC 1123 labels joined by dots, 253 characters at most: what a workload or an account may be called."""
    return len(text) <= MAX_DNS_NAME and all(is_dns_label(label) for label in text.split("."))


def workload_dns_name(workload: WorkloadId, trust_domain: str) -> str:
    """`<workload>.<ns>.workload.<td>`, the DNS SAN that tells workloads of one account apart.

    A namespace is one label, so the name reads back to one workload even when the workload's name has dots.
    Raises ValueError when it would be no DNS name.
    """
    name = f"{workload.name}.{workload.namespace}.workload.{trust_domain}"
    if not is_dns_label(workload.namespace) or not is_dns_name(workload.name) or len(name) > MAX_DNS_NAME:
        raise ValueError(f"workload {workload} has no DNS name: {name[:80]} is not one")
    return name


def workload_of_dns_name(name: str, trust_domain: str) -> WorkloadId | None:
    """Inverse of `workload_dns_name`; None for any other name."""
    parts, dot, rest = name.partition(f".workload.{trust_domain}")
    workload, separator, namespace = parts.rpartition(".")
    if not dot or rest or not separator or not workload or not namespace:
        return None
    return WorkloadId(namespace, workload)


def _segment(text: str) -> str:
    """Keeps a slash in a name from becoming structure."""
    if "/" in text:
        raise InvalidSpiffeId(f"{text[:80]}: a name in a SPIFFE id has no slash")
    return text
