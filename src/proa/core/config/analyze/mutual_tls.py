"""What clients are made to speak against what servers take."""

from collections.abc import Iterator

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.world import Known, World
from proa.core.config.config import Config
from proa.core.config.kinds.destination_rule.schema import ClientTls, DestinationRule, TrafficPolicy
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.path import Path
from proa.core.model.names import DOMAIN_SUFFIX, ROOT_NAMESPACE, expand_host


def check_mutual_tls(world: World) -> Iterator[Message]:
    """By the policies of whole namespaces: which workloads the others select is known only where they run."""
    modes = dict(_modes(world.configs))
    for config in world.configs:
        if not isinstance(config.spec, DestinationRule):
            continue
        host = expand_host(config.spec.host, config.meta.namespace)
        known = world.find(host)
        namespace = _namespace_of(host, known)
        if namespace is None or (known is not None and known.is_external):
            continue
        said = modes.get(namespace) or modes.get(ROOT_NAMESPACE)
        if said is None and known is not None and known.takes_mtls:
            said = ("STRICT", "the mesh's default")
        if said is not None:
            yield from _check_rule(config, config.spec, host, *said)


def _modes(configs: tuple[Config, ...]) -> Iterator[tuple[str, tuple[str, str]]]:
    """By namespace: the mode and who says it. The first by name counts, so it is given last."""
    for config in reversed(configs):
        spec = config.spec
        if isinstance(spec, PeerAuthentication) and (spec.selector is None or not spec.selector.match_labels):
            if spec.mtls is not None and spec.mtls.mode != "UNSET":
                yield config.meta.namespace, (spec.mtls.mode, str(config.ref))


def _namespace_of(host: str, known: Known | None) -> str | None:
    if known is not None:
        return known.namespace
    stem = host.removesuffix("." + DOMAIN_SUFFIX)
    return stem.partition(".")[2] or None if stem != host else None


def _check_rule(config: Config, rule: DestinationRule, host: str, mode: str, who: str) -> Iterator[Message]:
    policies: list[tuple[Path, TrafficPolicy | None]] = [(("spec", "trafficPolicy"), rule.traffic_policy)]
    policies += [
        (("spec", "subsets", index, "trafficPolicy"), subset.traffic_policy)
        for index, subset in enumerate(rule.subsets)
    ]
    for at, policy in policies:
        if policy is None:
            continue
        settings: list[tuple[Path, ClientTls | None]] = [((*at, "tls"), policy.tls)]
        settings += [
            ((*at, "portLevelSettings", index, "tls"), port.tls)
            for index, port in enumerate(policy.port_level_settings)
        ]
        for path, tls in settings:
            if tls is not None and _disagree(tls.mode, mode):
                text = f"clients speak {tls.mode} to {host}, and by {who} its servers take {mode}"
                yield Message(config.ref, (*path, "mode"), "mtls-conflict", text)


def _disagree(client: str, server: str) -> bool:
    if server == "STRICT":
        return client != "ISTIO_MUTUAL"
    return server == "DISABLE" and client == "ISTIO_MUTUAL"
