"""Which objects are in force for a workload, wherever they come from: the control plane's index, or files.

An AuthorizationPolicy of the root namespace or of the workload's own, that selects it by labels or as a Gateway's
proxy."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from proa.core.config.config import Config
from proa.core.config.gateway_api.gateway_schema import GATEWAY_NAME_LABEL
from proa.core.config.kinds.authorization_policy.schema import AuthorizationPolicy

Labels: TypeAlias = tuple[tuple[str, str], ...]


def selectors_of_policy(spec: AuthorizationPolicy) -> tuple[Labels, ...]:
    """The labels by which it picks workloads, any of them; none for a target that is no proxy of ours."""
    targets = (*spec.target_refs, *((spec.target_ref,) if spec.target_ref else ()))
    if targets:
        return tuple(((GATEWAY_NAME_LABEL, each.name),) for each in targets if each.kind == "Gateway")
    return (tuple(sorted(spec.selector.match_labels.items())) if spec.selector else (),)


def wears(labels: Mapping[str, str], wanted: Labels) -> bool:
    return all(labels.get(key) == value for key, value in wanted)


def selecting(
    configs: Iterable[Config], namespace: str, labels: Mapping[str, str], root_namespace: str
) -> tuple[Config, ...]:
    """Those of the root namespace first, each by name."""
    found = [
        config
        for config in configs
        if isinstance(config.spec, AuthorizationPolicy)
        and config.meta.namespace in (root_namespace, namespace)
        and any(wears(labels, wanted) for wanted in selectors_of_policy(config.spec))
    ]
    return tuple(sorted(found, key=lambda config: (config.meta.namespace != root_namespace, config.ref)))
