"""Which other trust domains are believed, by whom, and how far: federation, decided in one place.

`federations` are the FederatedTrustDomains in force. A workload of a namespace that accepts a domain believes that
domain's bundle about that domain's identities, and about nothing else: Envoy's validator looks a root up by the
domain in the peer's certificate, and `judge` (here, and as the first filter of every sidecar) lets nobody of a
stranger's domain on.

Accepting authenticates and does not authorise. A foreign caller is let on to a workload's policies only where an ALLOW
policy names it: its trust domain, or principals of it. Without such a policy it is refused, whatever is open to
everybody else: who wrote that thought of this mesh.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from proa.core.auth.authorization.values import Policy, Term
from proa.core.auth.spiffe import SCHEME
from proa.core.auth.trust_bundle import BadBundle, read_bundle
from proa.core.config.config import Config
from proa.core.config.kinds.federated_trust_domain.schema import EVERY_NAMESPACE, FederatedTrustDomain
from proa.core.config.problem import Finding
from proa.core.model.names import ObjectRef
from proa.core.model.notes import Note

Profile = Literal["https_web", "https_spiffe"]
Judgement = Literal["own", "named", "unnamed", "stranger"]
"""`own`: a workload of this mesh. `named`: foreign, accepted, and an ALLOW policy speaks of it. `unnamed`: none does.
`stranger`: of a domain that is not accepted here, or with a certificate that names several identities."""
UNNAMED: Final = "federation"
STRANGER: Final = "trust-domain"
"""What refusals by `judge` are called, in access logs and in explanations."""


class BundleEndpoint(msgspec.Struct, frozen=True, order=True):
    """Where a partner publishes its bundle. With `https_spiffe` its server must show `identity` under the bundle
    known."""

    url: str
    profile: Profile
    identity: str = ""


class Federation(msgspec.Struct, frozen=True, kw_only=True):
    """One trust domain that is accepted. `bundle` is what its object holds, in either form; empty: nothing."""

    ref: ObjectRef
    trust_domain: str
    namespaces: tuple[str, ...]
    bundle: str = ""
    endpoint: BundleEndpoint | None = None

    def is_for(self, namespace: str) -> bool:
        return EVERY_NAMESPACE in self.namespaces or namespace in self.namespaces


class Named(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """How far a workload's ALLOW policies speak of a domain that its namespace accepts: of all of it, or of principals
    (`domain/path`, and what they begin with). Nothing of that: of nobody in it."""

    trust_domain: str
    whole: bool = False
    exact: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()


def federations(configs: Iterable[Config], own: Iterable[str]) -> tuple[Federation, ...]:
    """Those in force, by trust domain. Of two for one domain the older counts; none is for a name of the mesh's own."""
    found: dict[str, Federation] = {}
    taken = set(own)
    for config in sorted(configs, key=lambda config: config.age):
        spec = config.spec
        if isinstance(spec, FederatedTrustDomain) and spec.trust_domain not in taken:
            taken.add(spec.trust_domain)
            found[spec.trust_domain] = Federation(
                ref=config.ref,
                trust_domain=spec.trust_domain,
                namespaces=tuple(sorted(spec.namespaces)),
                bundle=spec.trust_domain_bundle,
                endpoint=_endpoint(spec),
            )
    return tuple(each for _, each in sorted(found.items()))


def _endpoint(spec: FederatedTrustDomain) -> BundleEndpoint | None:
    profile = spec.bundle_endpoint_profile
    if not spec.bundle_endpoint_url or profile is None:
        return None
    return BundleEndpoint(spec.bundle_endpoint_url, profile.type, profile.endpoint_spiffe_id)


def faults(config: Config, others: Iterable[Config], own: Iterable[str]) -> Iterator[Finding]:
    """What is wrong with one object among `others`, in a mesh of these names. Other kinds have no fault here."""
    spec = config.spec
    if not isinstance(spec, FederatedTrustDomain):
        return
    if spec.trust_domain in set(own):
        message = f"{spec.trust_domain} is a name of the mesh's own trust domain; name the partner's"
        yield Finding(("spec", "trustDomain"), "conflict", message)
        return
    for other in others:
        if other.ref != config.ref and isinstance(other.spec, FederatedTrustDomain):
            if other.spec.trust_domain == spec.trust_domain:
                message = f"{other.ref} is for {spec.trust_domain} already; write all of it in one object"
                yield Finding(("spec", "trustDomain"), "duplicate", message)
                break
    if spec.trust_domain_bundle:
        try:
            read_bundle(spec.trust_domain_bundle, spec.trust_domain)
        except BadBundle as error:
            yield Finding(("spec", "trustDomainBundle"), "bad-value", f"{error}; write the partner's roots")


def notes(configs: Iterable[Config], own: Iterable[str]) -> Iterator[Note]:
    """The same of objects that are in the mesh though they are wrong: a watched directory is not asked first."""
    known = [config for config in configs if isinstance(config.spec, FederatedTrustDomain)]
    names = tuple(own)
    in_force = {each.ref for each in federations(known, names)}
    for config in known:
        for finding in faults(config, known, names):
            if finding.code != "duplicate" or config.ref not in in_force:
                yield Note(code="federation-fault", about=config.ref, message=finding.message)


def accepted(found: Iterable[Federation], namespace: str) -> tuple[str, ...]:
    """The trust domains that a namespace accepts, sorted."""
    return tuple(sorted(each.trust_domain for each in found if each.is_for(namespace)))


def named(policies: Iterable[Policy], domains: Iterable[str]) -> tuple[Named, ...]:
    """What the ALLOW policies of a workload, all of them, say of each of these domains."""
    terms = [
        term
        for policy in policies
        if policy.action == "ALLOW" and not policy.is_dry_run
        for rule in policy.rules
        for term in rule.terms
        if not term.negated
    ]
    return tuple(_named(domain, terms) for domain in sorted(domains))


def _named(domain: str, terms: Iterable[Term]) -> Named:
    """Only what cannot mean another domain too names one: `*`, `*/sa/x` and half of a domain's name do not."""
    exact: set[str] = set()
    prefixes: set[str] = set()
    whole = False
    for term in terms:
        for value in term.values:
            if term.attribute == "trust_domain":
                whole = whole or (value.shape == "exact" and value.text == domain)
            elif term.attribute == "principal" and value.text.startswith(f"{domain}/"):
                if value.shape == "exact":
                    exact.add(value.text)
                elif value.shape == "prefix":
                    whole = whole or value.text == f"{domain}/"
                    prefixes.add(value.text)
    if whole:
        return Named(trust_domain=domain, whole=True)
    return Named(trust_domain=domain, exact=tuple(sorted(exact)), prefixes=tuple(sorted(prefixes)))


def judge(principal: str, own: Iterable[str], partners: Iterable[Named]) -> Judgement:
    """Of a caller with mutual TLS, by its SPIFFE id without the scheme."""
    if principal.startswith(tuple(f"{name}/ns/" for name in own)):
        return "own"
    domain = principal.partition("/")[0]
    found = next((each for each in partners if each.trust_domain == domain), None)
    if found is None or "," in principal:
        return "stranger"
    is_named = found.whole or principal in found.exact or principal.startswith(found.prefixes)
    return "named" if is_named else "unnamed"


def refusal(judgement: Judgement) -> str:
    """What a refusal is called, "" when it is none."""
    names: Mapping[Judgement, str] = {"unnamed": UNNAMED, "stranger": STRANGER}
    return names.get(judgement, "")


def partner_of(accounts: Iterable[str], domains: Iterable[str]) -> str:
    """The accepted domain of which all of a service's accounts are (SPIFFE ids), "" when they are not of one: its
    servers are checked against that domain's bundle alone, and everybody else's against the mesh's."""
    found = {account.removeprefix(SCHEME).partition("/")[0] for account in accounts}
    return found.pop() if len(found) == 1 and found <= set(domains) else ""
