"""Whether a BackendTLSPolicy makes sense by itself. Called through the kinds table."""

from collections.abc import Iterator

from proa.core.config.certificates import check_credential_name
from proa.core.config.gateway_api.policy_schema import BackendTlsPolicy, SubjectAltName, TargetRef, Validation
from proa.core.config.hostnames import name_fault
from proa.core.config.legacy.draft import SPEC
from proa.core.config.meta import Meta
from proa.core.config.path import Path
from proa.core.config.problem import Finding
from proa.core.config.tree import shorten

CA_KINDS = ("ConfigMap", "Secret")


def check_backend_tls(spec: BackendTlsPolicy, meta: Meta) -> Iterator[Finding]:
    if not spec.target_refs:
        yield Finding((*SPEC, "targetRefs"), "required", "a policy is for at least one Service; name it")
    seen: set[TargetRef] = set()
    for index, each in enumerate(spec.target_refs):
        at = (*SPEC, "targetRefs", index)
        if each.kind != "Service" or each.group not in ("", "core"):
            message = f"a policy of TLS is for Services, not for a {shorten(each.kind)}; name one"
            yield Finding((*at, "kind"), "bad-value", message)
        if each in seen:
            yield Finding(at, "duplicate", "this target is named already; remove it")
        seen.add(each)
    yield from _check_validation(spec.validation, (*SPEC, "validation"))


def _check_validation(spec: Validation, at: Path) -> Iterator[Finding]:
    if fault := name_fault(spec.hostname):
        yield Finding((*at, "hostname"), "bad-value", fault)
    refs = spec.ca_certificate_refs
    if bool(refs) == bool(spec.well_known_ca_certificates):
        word = "exclude each other; keep one" if refs else "say whom to trust; add one"
        message = f"caCertificateRefs and wellKnownCACertificates {word}"
        yield Finding((*at, "caCertificateRefs"), "conflict" if refs else "required", message)
    for index, each in enumerate(refs):
        place = (*at, "caCertificateRefs", index)
        if each.kind not in CA_KINDS or each.group not in ("", "core"):
            message = f"roots are kept in a {' or '.join(CA_KINDS)}; name one"
            yield Finding((*place, "kind"), "bad-value", message)
        yield from check_credential_name(each.name, (*place, "name"))
        if index:
            message = "one set of certificates is served; put all of them in one"
            yield Finding(place, "not-supported-yet", message)
    for index, name in enumerate(spec.subject_alt_names):
        yield from _check_name(name, (*at, "subjectAltNames", index))


def _check_name(name: SubjectAltName, at: Path) -> Iterator[Finding]:
    fields = {"Hostname": ("hostname", name.hostname), "URI": ("uri", name.uri)}
    for kind, (field, value) in fields.items():
        if (kind == name.type) != bool(value):
            word = "needs" if kind == name.type else "excludes"
            code = "required" if kind == name.type else "conflict"
            yield Finding((*at, field), code, f"type {name.type} {word} {field}")
    if name.type == "Hostname" and name.hostname and (fault := name_fault(name.hostname)):
        yield Finding((*at, "hostname"), "bad-value", fault)
    if name.type == "URI" and name.uri and "://" not in name.uri:
        message = f'"{shorten(name.uri)}" is no URI; write scheme://host/path'
        yield Finding((*at, "uri"), "bad-value", message)
