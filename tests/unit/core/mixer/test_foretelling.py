"""What follows from configuration, and what is left to be asked."""

from collections.abc import Mapping

import pytest
from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.mixer.foretelling import Foretold, foretell
from proa.core.mixer.plan.in_force import compile_in_force
from proa.testing.mixer import all_run, mixer_config, rule

ROOT = "istio-system"
BAG: dict[str, Value] = {
    "destination.namespace": "shop",
    "destination.service.host": "web.shop.svc.cluster.local",
    "context.reporter.kind": "inbound",
    "context.protocol": "http",
    "request.headers": {"x-user": "ann"},
}
OBJECTS = (
    mixer_config("denier", "no", {"status": {"code": 7, "message": "never"}}, ROOT),
    mixer_config("noop", "yes", {}, ROOT),
    mixer_config("listchecker", "written", {"overrides": ["bob"], "blacklist": True}, ROOT),
    mixer_config("listchecker", "fetched", {"providerUrl": "http://a.example/list"}, ROOT),
    mixer_config("checknothing", "any", {}, ROOT),
    mixer_config("listentry", "user", {"value": 'request.headers["x-user"]'}, ROOT),
    mixer_config("listentry", "absent", {"value": 'request.auth.claims["sub"]'}, ROOT),
    mixer_config("memquota", "limits", {"quotas": [{"name": "n.quota.istio-system", "maxAmount": 1}]}, ROOT),
    mixer_config("quota", "n", {"dimensions": {}}, ROOT),
    mixer_config("QuotaSpec", "s", {"rules": [{"quotas": [{"quota": "n", "charge": 3}]}]}, ROOT),
    mixer_config(
        "QuotaSpecBinding", "b", {"services": [{"service": "*"}], "quotaSpecs": [{"name": "s"}]}, ROOT
    ),
)


def told(*rules: Config, **bag: Value) -> Foretold:
    known: Mapping[str, Value] = {**BAG, **{name.replace("_", "."): value for name, value in bag.items()}}
    return foretell(compile_in_force((*OBJECTS, *rules), all_run(), None, ROOT)[0], known)


def asks(handler: str, instance: str, name: str = "r", match: str = "", **notes: str) -> Config:
    annotations = {f"proa.dev/{key.replace('_', '-')}": value for key, value in notes.items()}
    return rule(name, handler, instance, match=match, namespace=ROOT, annotations=annotations)


@pytest.mark.parametrize(
    ("handler", "instance", "user", "code"),
    [
        ("no.denier", "any.checknothing", "ann", 7),
        ("yes.noop", "any.checknothing", "ann", 0),
        ("written.listchecker", "user.listentry", "ann", 0),
        ("written.listchecker", "user.listentry", "bob", 7),
    ],
)
def test_what_answers_by_its_parameters_is_foretold(
    handler: str, instance: str, user: str, code: int
) -> None:
    found = told(asks(handler, instance), request_headers={"x-user": user})
    assert (found.verdict.code, found.opened, [each.name for each in found.rules]) == (code, (), ["r"])


def test_others_are_named() -> None:
    found = told(asks("fetched.listchecker", "user.listentry"), asks("no.denier", "any.checknothing", "z"))
    assert [each.action.handler for each in found.opened] == ["fetched.listchecker.istio-system"]
    assert found.verdict.rule is not None
    assert (found.verdict.code, found.verdict.rule.name) == (7, "z")


def test_what_cannot_be_made_counts_by_its_rules_policy() -> None:
    assert told(asks("written.listchecker", "absent.listentry")).verdict.code == 13
    open_one = asks("written.listchecker", "absent.listentry", failure_policy="open")
    assert told(open_one).verdict.code == 0


def test_a_rule_that_does_not_match_says_nothing() -> None:
    assert told(asks("no.denier", "any.checknothing", match='context.protocol == "tcp"')) == Foretold()


def test_charges_are_named_with_their_amounts() -> None:
    found = told(asks("limits.memquota", "n.quota"))
    assert [(call.action.instance, amount) for call, amount in found.charged] == [("n.quota.istio-system", 3)]
    assert not told(asks("limits.memquota", "n.quota"), destination_service_host=Map()).charged


def test_what_generators_tell_is_not_foretold() -> None:
    pods = mixer_config("kubernetesenv", "pods", {}, ROOT)
    pod = mixer_config("kubernetes", "pod", {"destination_uid": 'destination.uid | ""'}, ROOT)
    found = told(pods, pod, asks("pods.kubernetesenv", "pod.kubernetes"))
    assert [each.action.handler for each in found.learning] == ["pods.kubernetesenv.istio-system"]
