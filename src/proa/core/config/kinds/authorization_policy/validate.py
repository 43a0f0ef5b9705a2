"""Whether an AuthorizationPolicy makes sense: Istio's rules for its fields. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.hostnames import subnet_fault
from proa.core.config.kinds.authorization_policy.conditions import check_condition
from proa.core.config.kinds.authorization_policy.patterns import accounts_fault, path_fault
from proa.core.config.kinds.authorization_policy.schema import AuthorizationPolicy, Operation, Rule, Source
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.policy_values import (
    check_patterns,
    host_fault,
    method_doubt,
    method_fault,
    pattern_fault,
    port_fault,
    principal_fault,
)
from proa.core.config.problem import Finding, warning
from proa.core.config.selection import check_selection

SPEC: Path = ("spec",)
DRY_RUN = "istio.io/dry-run"
_MOST_ACCOUNTS = 16


def validate(spec: AuthorizationPolicy, meta: Meta) -> Iterator[Finding]:
    yield from check_selection(
        spec.selector, spec.target_ref, spec.target_refs, meta.namespace, gateways=True
    )
    yield from _check_action(spec)
    dry_run = meta.annotations.get(DRY_RUN)
    if dry_run is not None:
        at: Path = ("metadata", "annotations", DRY_RUN)
        if dry_run not in ("true", "false"):
            yield Finding(at, "bad-value", 'a dry run is "true" or "false"; write one of them')
        elif spec.action not in ("ALLOW", "DENY"):
            yield Finding(at, "conflict", f"{spec.action} cannot be run dry; choose ALLOW or DENY")
    for index, rule in enumerate(spec.rules):
        yield from _check_rule(rule, (*SPEC, "rules", index))


def _check_action(spec: AuthorizationPolicy) -> Iterator[Finding]:
    if spec.action in ("DENY", "CUSTOM") and not spec.rules:
        message = f"{spec.action} without rules never acts; add an empty rule {{}} to act on every request"
        yield Finding((*SPEC, "rules"), "required", message)
    if spec.action == "CUSTOM":
        if spec.provider is None or not spec.provider.name:
            message = "CUSTOM asks a provider; write its name"
            yield Finding((*SPEC, "provider", "name"), "required", message)
    elif spec.provider is not None:
        message = f"{spec.action} asks no provider; remove it, or choose CUSTOM"
        yield Finding((*SPEC, "provider"), "conflict", message)


def _check_rule(rule: Rule, at: Path) -> Iterator[Finding]:
    for index, source in enumerate(rule.from_):
        yield from _check_source(source.source, (*at, "from", index, "source"))
    for index, operation in enumerate(rule.to):
        yield from _check_operation(operation.operation, (*at, "to", index, "operation"))
    for index, condition in enumerate(rule.when):
        yield from check_condition(condition, (*at, "when", index))


def _check_source(source: Source, at: Path) -> Iterator[Finding]:
    if source == Source():
        yield Finding(at, "required", "an empty source says nothing; write whom it means")
    patterns = {
        "principals": source.principals,
        "notPrincipals": source.not_principals,
        "requestPrincipals": source.request_principals,
        "notRequestPrincipals": source.not_request_principals,
        "namespaces": source.namespaces,
        "notNamespaces": source.not_namespaces,
        "trustDomains": source.trust_domains,
        "notTrustDomains": source.not_trust_domains,
    }
    blocks = {
        "ipBlocks": source.ip_blocks,
        "notIpBlocks": source.not_ip_blocks,
        "remoteIpBlocks": source.remote_ip_blocks,
        "notRemoteIpBlocks": source.not_remote_ip_blocks,
    }
    accounts = {"serviceAccounts": source.service_accounts, "notServiceAccounts": source.not_service_accounts}
    for name, values in patterns.items():
        fault_of = principal_fault if name in ("principals", "notPrincipals") else pattern_fault
        yield from check_patterns(values, (*at, name), fault_of)
    for name, values in blocks.items():
        for index, value in enumerate(values):
            if fault := subnet_fault(value):
                yield Finding((*at, name, index), "bad-value", fault)
    for name, values in accounts.items():
        if len(values) > _MOST_ACCOUNTS:
            yield Finding(
                (*at, name), "too-large", f"at most {_MOST_ACCOUNTS} accounts; write several sources"
            )
        for index, value in enumerate(values):
            if fault := accounts_fault(value):
                yield Finding((*at, name, index), "bad-value", fault)
    if any(accounts.values()) and any(
        (source.principals, source.not_principals, source.namespaces, source.not_namespaces)
    ):
        message = "serviceAccounts cannot stand with namespaces or principals; write a source of their own"
        yield Finding(at, "conflict", message)


def _check_operation(operation: Operation, at: Path) -> Iterator[Finding]:
    if operation == Operation():
        yield Finding(at, "required", "an empty operation says nothing; write what it means")
    fields = {
        "hosts": (operation.hosts, host_fault),
        "notHosts": (operation.not_hosts, host_fault),
        "methods": (operation.methods, method_fault),
        "notMethods": (operation.not_methods, method_fault),
        "ports": (operation.ports, port_fault),
        "notPorts": (operation.not_ports, port_fault),
        "paths": (operation.paths, path_fault),
        "notPaths": (operation.not_paths, path_fault),
    }
    for name, (values, fault_of) in fields.items():
        yield from check_patterns(values, (*at, name), fault_of)
    for name, values in (("methods", operation.methods), ("notMethods", operation.not_methods)):
        for index, value in enumerate(values):
            if doubt := method_doubt(value):
                yield warning((*at, name, index), "no-effect", doubt)
