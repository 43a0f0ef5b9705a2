"""Whether a rule's TLS towards its host has the certificates that it needs, and no others. Called by its validator."""

from collections.abc import Iterator

from proa.core.config.certificates import check_credential_name, check_file
from proa.core.config.kinds.destination_rule.schema import ClientTls
from proa.core.config.path import Path
from proa.core.config.problem import Finding, warning


def check_originated(tls: ClientTls, at: Path) -> Iterator[Finding]:
    fields: dict[str, object] = {
        "clientCertificate": tls.client_certificate,
        "privateKey": tls.private_key,
        "caCertificates": tls.ca_certificates,
        "caCrl": tls.ca_crl,
        "credentialName": tls.credential_name,
        "insecureSkipVerify": tls.insecure_skip_verify,
    }
    given = [name for name, value in fields.items() if value]
    if tls.mode == "ISTIO_MUTUAL":
        for name in given:
            message = f"ISTIO_MUTUAL uses the mesh's certificates; remove {name}"
            yield Finding((*at, name), "conflict", message)
        return
    if tls.mode == "DISABLE":
        for name in given:
            yield warning((*at, name), "no-effect", f"without TLS {name} means nothing; choose another mode")
        return
    yield from _check_pair(tls, given, at)
    yield from _check_roots(tls, given, at)


def _check_pair(tls: ClientTls, given: list[str], at: Path) -> Iterator[Finding]:
    if tls.credential_name:
        yield from check_credential_name(tls.credential_name, (*at, "credentialName"))
        for name in ("clientCertificate", "privateKey", "caCertificates", "caCrl"):
            if name in given:
                message = f"credentialName and {name} exclude each other; a secret has all that is needed"
                yield Finding((*at, name), "conflict", message)
        return
    for name in ("clientCertificate", "privateKey"):
        path = tls.client_certificate if name == "clientCertificate" else tls.private_key
        if tls.mode == "MUTUAL":
            yield from check_file(path, at, name, is_required=True)
        elif path:
            yield warning(
                (*at, name), "no-effect", f"SIMPLE shows no certificate; remove {name}, or use MUTUAL"
            )


def _check_roots(tls: ClientTls, given: list[str], at: Path) -> Iterator[Finding]:
    if tls.ca_certificates != "system":
        yield from check_file(tls.ca_certificates, at, "caCertificates")
    yield from check_file(tls.ca_crl, at, "caCrl")
    if tls.ca_crl and tls.ca_certificates in ("", "system") and not tls.credential_name:
        yield Finding((*at, "caCrl"), "conflict", "caCrl goes with a file of caCertificates; name it")
    if tls.insecure_skip_verify:
        named = [*given, *(["subjectAltNames"] if tls.subject_alt_names else [])]
        for name in ("caCertificates", "caCrl", "subjectAltNames"):
            if name in named:
                message = f"with insecureSkipVerify nobody looks at {name}; remove one"
                yield Finding((*at, name), "conflict", message)
