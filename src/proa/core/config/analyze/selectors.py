"""Objects that select workloads: none that has the labels, or two objects for the same ones; and objects that are for
namespaces in which nothing runs."""

from collections.abc import Iterator
from typing import Final

import msgspec
from immutables import Map

from proa.core.config.analyze.message import Message
from proa.core.config.analyze.rules import rules_of
from proa.core.config.analyze.world import Worker, World
from proa.core.config.config import Config
from proa.core.config.endpoint import WorkloadEntry
from proa.core.config.export_to import EVERYWHERE, visible_in
from proa.core.config.kinds.authorization_policy.schema import AuthorizationPolicy
from proa.core.config.kinds.destination_rule.schema import DestinationRule
from proa.core.config.kinds.envoy_filter.schema import EnvoyFilter
from proa.core.config.kinds.peer_authentication.schema import PeerAuthentication
from proa.core.config.kinds.proxy_config.schema import ProxyConfig
from proa.core.config.kinds.request_authentication.schema import RequestAuthentication
from proa.core.config.kinds.service_entry.schema import ServiceEntry
from proa.core.config.kinds.sidecar.schema import Sidecar
from proa.core.config.kinds.telemetry.schema import Telemetry
from proa.core.config.kinds.virtual_service.schema import VirtualService
from proa.core.config.path import Path
from proa.core.model.names import ROOT_NAMESPACE, ObjectRef

_ONE_COUNTS: Final = (Sidecar, PeerAuthentication, Telemetry, ProxyConfig)
"""Kinds of which one object counts for a workload."""


class Selection(msgspec.Struct, frozen=True):
    """`labels` None: the object says nothing of selecting."""

    path: Path
    labels: Map[str, str] | None


def selection_of(spec: object) -> Selection | None:
    """None for kinds that select no workloads."""
    match spec:
        case (
            PeerAuthentication()
            | AuthorizationPolicy()
            | RequestAuthentication()
            | Telemetry()
            | ProxyConfig()
        ):
            return Selection(("spec", "selector"), spec.selector.match_labels if spec.selector else None)
        case Sidecar() | EnvoyFilter() | ServiceEntry():
            chosen = spec.workload_selector
            return Selection(("spec", "workloadSelector"), chosen.labels if chosen else None)
        case _:
            return None


def check_selectors(world: World) -> Iterator[Message]:
    crowd = _Crowd(world)
    first: dict[tuple[str, str, Map[str, str]], ObjectRef] = {}
    for config in world.configs:
        selection = selection_of(config.spec)
        if selection is not None:
            if selection.labels and not crowd.has(config.meta.namespace, selection.labels):
                text = f"nothing that runs has the labels {_written(selection.labels)}"
                yield Message(config.ref, selection.path, "selector-matches-nothing", text)
            if isinstance(config.spec, _ONE_COUNTS):
                yield from _check_rival(config, selection, first)
        if isinstance(config.spec, VirtualService):
            yield from _check_clients(config, config.spec, crowd)
        yield from _check_audience(config, world)


def _written(labels: Map[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _check_rival(
    config: Config, selection: Selection, first: dict[tuple[str, str, Map[str, str]], ObjectRef]
) -> Iterator[Message]:
    labels = selection.labels or Map()
    owner = first.setdefault((config.kind, config.meta.namespace, labels), config.ref)
    if owner != config.ref:
        code = "selectors-conflict" if labels else "defaults-conflict"
        text = f"{owner} is for the same workloads; the first by name counts"
        yield Message(config.ref, selection.path if labels else (), code, text)


def _check_clients(config: Config, spec: VirtualService, crowd: "_Crowd") -> Iterator[Message]:
    """Rules for clients with certain labels."""
    for placed in rules_of(spec):
        for number, match in enumerate(placed.matches):
            if match.source_labels and not crowd.has_anywhere(match.source_labels):
                path = (*placed.path, "match", number, "sourceLabels")
                text = f"no client that runs has the labels {_written(match.source_labels)}"
                yield Message(config.ref, path, "selector-matches-nothing", text)


def _check_audience(config: Config, world: World) -> Iterator[Message]:
    if (
        not isinstance(config.spec, VirtualService | DestinationRule | ServiceEntry)
        or world.inhabited is None
    ):
        return
    visible = visible_in(config.spec.export_to, config.meta.namespace)
    if visible and EVERYWHERE not in visible and not world.inhabited & set(visible):
        text = f"nothing runs in the namespace {', '.join(visible)}"
        yield Message(config.ref, ("spec", "exportTo"), "rule-unseen", text)


class _Crowd:
    """Who could be selected: workloads that run and WorkloadEntries, by each of their labels."""

    def __init__(self, world: World) -> None:
        entries = [
            Worker(namespace=config.meta.namespace, labels=config.spec.labels)
            for config in world.configs
            if isinstance(config.spec, WorkloadEntry)
        ]
        self._is_known = world.workers is not None
        self._by_label: dict[tuple[str, str], list[Worker]] = {}
        self._asked: dict[tuple[str, Map[str, str]], bool] = {}
        for worker in (*(world.workers or ()), *entries):
            for pair in worker.labels.items():
                self._by_label.setdefault(pair, []).append(worker)

    def has(self, namespace: str, labels: Map[str, str]) -> bool:
        """True as well when it cannot be known."""
        return self.has_anywhere(labels, "" if namespace == ROOT_NAMESPACE else namespace)

    def has_anywhere(self, labels: Map[str, str], namespace: str = "") -> bool:
        if not self._is_known:
            return True
        key = (namespace, labels)
        if key not in self._asked:
            # The rarest label is looked through, so that a label all have does not make it long.
            found = min((self._by_label.get(pair, []) for pair in labels.items()), key=len)
            self._asked[key] = any(
                namespace in ("", worker.namespace)
                and all(worker.labels.get(name) == value for name, value in labels.items())
                for worker in found
            )
        return self._asked[key]
