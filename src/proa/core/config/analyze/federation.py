"""Partners' trust domains: two objects for one, and namespaces in which nobody hears of it."""

from collections.abc import Iterator

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import World
from proa.core.config.kinds.federated_trust_domain.schema import EVERY_NAMESPACE, FederatedTrustDomain
from proa.core.model.names import ObjectRef


def check_federation(world: World) -> Iterator[Message]:
    first: dict[str, ObjectRef] = {}
    for config in world.configs:
        spec = config.spec
        if not isinstance(spec, FederatedTrustDomain):
            continue
        known = first.setdefault(spec.trust_domain, config.ref)
        if known != config.ref:
            text = f"{known} is for {spec.trust_domain} already; one of them counts"
            yield Message(config.ref, ("spec", "trustDomain"), "trust-domain-twice", text)
        for index, name in enumerate(spec.namespaces):
            if world.inhabited is not None and name != EVERY_NAMESPACE and name not in world.inhabited:
                text = f"nothing runs in namespace {name}"
                yield Message(config.ref, ("spec", "namespaces", index), "federation-namespace-empty", text)
