"""What is different for whom when one of Mixer's objects is."""

import msgspec

from proa.core.config.config import Config
from proa.core.mixer.formulas import Formulas
from proa.core.mixer.plan.in_force import (
    NOTHING,
    InForce,
    compile_in_force,
    is_mixers,
    namespaces_that_differ,
)
from proa.testing.builders import configs
from proa.testing.mixer import all_run, mixer_config, rule

RUN = all_run()
SHARED = (
    mixer_config("denier", "no", {}, "istio-system"),
    mixer_config("checknothing", "any", {}, "istio-system"),
)
SHOP = rule("deny", "no.denier", "any.checknothing", namespace="shop")
BANK = rule("deny", "other.denier", "any.checknothing", namespace="bank")
OTHER = mixer_config("denier", "other", {}, "bank")


def compiled(*objects: Config, formulas: Formulas | None = None, root: str = "istio-system") -> InForce:
    return compile_in_force(objects, RUN, formulas, root)[0]


BEFORE = compiled(*SHARED, SHOP, BANK, OTHER)


def test_equal_objects_in_another_order_differ_for_nobody() -> None:
    assert namespaces_that_differ(BEFORE, compiled(OTHER, BANK, SHOP, *SHARED)) == frozenset()


def test_a_rule_is_its_own_namespaces_affair_and_one_of_the_root_everybodys() -> None:
    with_match = rule(
        "deny", "no.denier", "any.checknothing", match='request.method == "GET"', namespace="shop"
    )
    assert namespaces_that_differ(BEFORE, compiled(*SHARED, with_match, BANK, OTHER)) == {"shop"}
    assert namespaces_that_differ(BEFORE, compiled(*SHARED, BANK, OTHER)) == {"shop"}
    everywhere = rule("deny", "no.denier", "any.checknothing", namespace="istio-system")
    assert "" in namespaces_that_differ(BEFORE, compiled(*SHARED, SHOP, BANK, OTHER, everywhere))


def test_a_handler_is_the_affair_of_those_whose_rules_use_it() -> None:
    slower = mixer_config("denier", "other", {}, "bank", {"proa.dev/deadline": "2s"})
    assert namespaces_that_differ(BEFORE, compiled(*SHARED, SHOP, BANK, slower)) == {"bank"}


def test_what_services_charge_may_be_anybodys_affair() -> None:
    spec = mixer_config(
        "QuotaSpec", "s", {"rules": [{"quotas": [{"quota": "requests", "charge": 1}]}]}, "shop"
    )
    bound = {"quotaSpecs": [{"name": "s"}], "services": [{"service": "*"}]}
    binding = mixer_config("QuotaSpecBinding", "b", bound, "shop")
    found = compiled(*SHARED, SHOP, BANK, OTHER, spec, binding)
    assert namespaces_that_differ(BEFORE, found) == {""}
    assert found.charges.bound.everywhere == (spec.ref,)


def test_another_root_namespace_is_everybodys_affair() -> None:
    assert namespaces_that_differ(BEFORE, compiled(*SHARED, SHOP, BANK, OTHER, root="bank")) == {""}


def test_formulas_serve_again() -> None:
    matched = rule("deny", "no.denier", "any.checknothing", match='request.method == "GET"', namespace="shop")
    _, formulas = compile_in_force([*SHARED, matched], RUN, None, "istio-system")
    count = formulas.compiled
    assert count
    _, kept = compile_in_force([*SHARED, matched, BANK, OTHER], RUN, formulas, "istio-system")
    assert kept is formulas
    assert kept.compiled == count


def test_without_rules_all_is_idle() -> None:
    assert NOTHING.is_idle
    assert compiled(*SHARED).is_idle
    assert not BEFORE.is_idle


def test_only_mixers_own_objects_are_read() -> None:
    (entry,) = configs("""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: s}
spec: {outboundTrafficPolicy: {mode: REGISTRY_ONLY}}
""")
    assert not is_mixers(entry.spec)
    assert not is_mixers(msgspec.UNSET)
    assert all(is_mixers(each.spec) for each in (*SHARED, SHOP, OTHER))


def test_what_specs_tell_may_be_anybodys_affair() -> None:
    spec = mixer_config("HTTPAPISpec", "s", {"patterns": [{"httpMethod": "GET", "uriTemplate": "/"}]}, "shop")
    bound = {"apiSpecs": [{"name": "s"}], "services": [{"service": "*"}]}
    binding = mixer_config("HTTPAPISpecBinding", "b", bound, "shop")
    found = compiled(*SHARED, SHOP, BANK, OTHER, spec, binding)
    assert namespaces_that_differ(BEFORE, found) == {""}
    assert namespaces_that_differ(found, compiled(*SHARED, SHOP, BANK, OTHER, spec, binding)) == frozenset()


def test_roles_are_the_affair_of_those_whose_rules_ask_for_them() -> None:
    objects = (
        mixer_config("rbac", "roles", {}, "bank"),
        mixer_config("authorization", "ask", {"action": {"namespace": "destination.namespace"}}, "bank"),
        rule("r", "roles.rbac", "ask.authorization", namespace="bank"),
    )
    roles = configs("""
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {name: viewer, namespace: shop}
spec: {rules: [{services: ["*"], methods: [GET]}]}
""")
    assert namespaces_that_differ(compiled(*SHARED, SHOP), compiled(*SHARED, SHOP, *roles)) == frozenset()
    found = compiled(*SHARED, SHOP, *objects)
    assert namespaces_that_differ(found, compiled(*SHARED, SHOP, *objects, *roles)) == {"bank"}
