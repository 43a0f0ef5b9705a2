"""Whether a PeerAuthentication makes sense: Istio's rules for its fields. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.labels import check_selector
from proa.core.config.meta import Meta
from proa.core.config.problem import Finding


def validate(spec: PeerAuthentication, meta: Meta) -> Iterator[Finding]:
    labels = spec.selector.match_labels if spec.selector else {}
    yield from check_selector(labels, ("spec", "selector", "matchLabels"))
    if spec.port_level_mtls and not labels:
        message = (
            "modes of single ports need a selector that names the workloads; add one, or remove the ports"
        )
        yield Finding(("spec", "portLevelMtls"), "conflict", message)
