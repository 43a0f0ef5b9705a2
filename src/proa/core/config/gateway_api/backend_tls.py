"""A service with the BackendTLSPolicies for it: how its callers begin TLS, as DestinationRules.

Of several policies for one port (or for the service as a whole) the oldest counts, then the first by name. One for a
port comes before one for the service.
"""

from collections.abc import Iterable

from proa.core.config.gateway_api.attach import Condition
from proa.core.config.gateway_api.bound import Derivation, Made, Member, Standing
from proa.core.config.gateway_api.policy_schema import BackendTlsPolicy, TargetRef, Validation
from proa.core.config.legacy.draft import SPEC, Derived
from proa.core.config.legacy.draft import Place as Written
from proa.core.config.tree import Json
from proa.core.model.names import service_hostname

_ACCEPTED = Condition(type="Accepted", status=True, reason="Accepted")


def derive_backend(name: str, namespace: str, members: Iterable[Member]) -> Derivation:
    """Of service `name` in `namespace`, where the policies are too."""
    host = service_hostname(name, namespace)
    owners: dict[str, Member] = {}
    made: list[Made] = []
    standings: list[Standing] = []
    for each in sorted(members, key=lambda one: (one.created, one.ref)):
        if not isinstance(each.spec, BackendTlsPolicy):
            continue
        for target in each.spec.target_refs:
            if target.name != name:
                continue
            owner = owners.setdefault(target.section_name, each)
            found = _rule(each, each.spec.validation, target, host) if owner is each else None
            accepted = _ACCEPTED
            if found is None:
                message = f"{owner.ref} is older and has this target; remove one of both"
                accepted = Condition(type="Accepted", status=False, reason="Conflicted", message=message)
            else:
                made.append(found)
            standings.append(
                Standing(
                    ref=each.ref,
                    parent=None,
                    conditions=(accepted, Condition(type="ResolvedRefs", status=True, reason="ResolvedRefs")),
                    made=(found.derived.ref,) if found else (),
                    parent_host=host,
                    target=target,
                )
            )
    return Derivation(made=tuple(made), standings=tuple(standings))


def _rule(member: Member, validation: Validation, target: TargetRef, host: str) -> Made:
    tls: dict[str, Json] = {"mode": "SIMPLE", "sni": validation.hostname}
    if validation.ca_certificate_refs:
        tls["credentialName"] = validation.ca_certificate_refs[0].name
    else:
        tls["caCertificates"] = "system"
    names = [each.hostname or each.uri for each in validation.subject_alt_names] or [validation.hostname]
    tls["subjectAltNames"] = list[Json](names)
    section = f"-{target.section_name}" if target.section_name else ""
    derived = Derived(
        kind="DestinationRule",
        namespace=member.ref.namespace,
        name=f"{member.ref.name}-{target.name}{section}-gateway-api",
        spec={"host": host, "trafficPolicy": {"tls": tls}},
        sources=(member.ref,),
        places=(
            Written(SPEC, member.ref, SPEC),
            Written((*SPEC, "trafficPolicy", "tls"), member.ref, (*SPEC, "validation")),
        ),
    )
    return Made(derived=derived, port_name=target.section_name)
