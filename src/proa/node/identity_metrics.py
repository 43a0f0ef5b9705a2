"""What the agent's page says of identities: when certificates and trusted roots end, how renewals went, whom
sockets refused.

Text in Prometheus' exposition format, of values that others own; `proa.node.metrics` puts it on its page.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec
from cryptography import x509

from proa.core.auth.ca import to_pem
from proa.core.auth.roots import root_sha256
from proa.core.model.names import WorkloadId
from proa.node.denials import Reason

DIGEST: Final = 12
"""Characters of a root's digest, as in the control plane's metrics."""


class Identities(msgspec.Struct, frozen=True, kw_only=True):
    """`ends`: of each workload that has a certificate its end, unix seconds; `node_ends` of the agent's own. `renewals`
    are counts by how they ended."""

    node_ends: int
    ends: Mapping[WorkloadId, int]
    roots_pem: str
    renewals: Mapping[str, int]
    denied: Mapping[tuple[Reason, WorkloadId], int]


def identity_metrics(found: Identities, now: float) -> str:
    workloads = [
        (f'namespace="{each.namespace}",workload="{each.name}"', end - now)
        for each, end in sorted(found.ends.items())
    ]
    roots = [(f'root="{digest}"', end - now) for digest, end in sorted(_root_ends(found.roots_pem).items())]
    renewals = [(f'result="{result}"', count) for result, count in sorted(found.renewals.items())]
    denied = [
        (f'reason="{reason}",namespace="{workload.namespace}",workload="{workload.name}"', count)
        for (reason, workload), count in sorted(found.denied.items())
    ]
    return "".join(
        (
            _family(
                "proa_node_certificate_expiry_seconds",
                "gauge",
                "Seconds until the agent's own certificate ends.",
                [("", found.node_ends - now)],
            ),
            _family(
                "proa_workload_certificate_expiry_seconds",
                "gauge",
                "Seconds until a workload's certificate ends.",
                workloads,
            ),
            _family(
                "proa_node_root_expiry_seconds",
                "gauge",
                "Seconds until a root that this node trusts ends.",
                roots,
            ),
            _family(
                "proa_node_certificate_renewals_total",
                "counter",
                "Certificates asked for, by how it ended: renewed, refused, failed (tried again).",
                renewals,
            ),
            _family(
                "proa_node_denied_total",
                "counter",
                "Processes refused at a workload's socket.",
                denied,
            ),
        )
    )


def _family(name: str, kind: str, text: str, rows: Iterable[tuple[str, float]]) -> str:
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    lines += [
        f"{name}{{{labels}}} {_number(value)}" if labels else f"{name} {_number(value)}"
        for labels, value in rows
    ]
    return "\n".join((*lines, ""))


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def _root_ends(roots_pem: str) -> dict[str, float]:
    """By the beginning of their digests."""
    return {
        root_sha256(to_pem(each))[:DIGEST]: each.not_valid_after_utc.timestamp()
        for each in x509.load_pem_x509_certificates(roots_pem.encode())
    }
