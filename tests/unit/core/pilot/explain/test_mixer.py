"""What is told of Mixer's rules: who refuses, in the words that a caller would get, and who would be asked."""

import pytest
from immutables import Map

from proa.core.auth.authorization.request import Caller
from proa.core.mixer.asked import Party
from proa.core.mixer.asked import Place as MixerPlace
from proa.core.mixer.plan.in_force import compile_in_force
from proa.core.model.names import ROOT_NAMESPACE, WorkloadId
from proa.core.pilot.explain.mixer import MixerAsker, MixerKnown
from proa.core.pilot.explain.story import Explanation, Step
from proa.core.pilot.simulate import Inbound, Request
from proa.core.pilot.simulate.filters import PolicyPlace, Ruling
from proa.testing.mixer import all_run, mixer_config
from proa.testing.mixer import rule as build_rule
from tests.unit.core.pilot.explain.conftest import Explain
from tests.unit.core.pilot.explain.test_policies import TO_V1

OBJECTS = """
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: no}
spec: {status: {code: 7, message: Not allowed}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: any}
spec: {}
---
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {name: fetched}
spec: {providerUrl: "http://lists.example/known", blacklist: true}
---
apiVersion: config.istio.io/v1alpha2
kind: listchecker
metadata: {name: written}
spec: {overrides: [ann, bob]}
---
apiVersion: config.istio.io/v1alpha2
kind: listentry
metadata: {name: user}
spec: {value: 'request.headers["x-user"] | "nobody"'}
---
"""


def rule(match: str, handler: str = "no.denier", instance: str = "any.checknothing", name: str = "r") -> str:
    return f"""
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {{name: {name}}}
spec:
  match: {match}
  actions: [{{handler: {handler}, instances: [{instance}]}}]
---
"""


def check_of(told: Explanation) -> Step:
    (step,) = [step for hop in told.hops for step in hop.steps if step.kind == "check"]
    return step


def test_a_denial_says_what_a_caller_is_told_and_by_which_rule(explain: Explain) -> None:
    labels = rule('destination.labels["app"] == "reviews" && source.labels["app"] == "page"')
    told = explain("http://reviews:9080/", TO_V1 + OBJECTS + labels)
    (verdict,) = told.verdicts
    assert (verdict.status, told.arrives) == (403, False)
    assert verdict.text == "403: refused: PERMISSION_DENIED:no.denier.default:Not allowed"
    check = check_of(told)
    assert check.tone == "bad"
    (cause,) = check.causes
    assert (cause.object, cause.file) == ("rule/default/r", "rules.yaml")
    assert (TO_V1 + OBJECTS + labels).splitlines()[cause.line - 1] == "apiVersion: config.istio.io/v1alpha2"


@pytest.mark.parametrize(("user", "status"), [("ann", 0), ("eve", 404), (None, 404)])
def test_a_list_that_stands_in_its_handler_is_looked_into(
    explain: Explain, user: str | None, status: int
) -> None:
    users = rule("request.method == 'GET'".replace("'", '"'), "written.listchecker", "user.listentry")
    headers = (("X-User", user),) if user is not None else ()
    told = explain("http://reviews:9080/", TO_V1 + OBJECTS + users, headers=headers)
    assert told.verdicts[0].status == status
    assert check_of(told).tone == ("bad" if status else "good")


def test_who_would_have_to_be_asked_is_named(explain: Explain) -> None:
    fetched = rule('request.method == "GET"', "fetched.listchecker", "user.listentry")
    told = explain("http://reviews:9080/", TO_V1 + OBJECTS + fetched)
    assert told.arrives
    check = check_of(told)
    assert (check.tone, check.causes[0].object) == ("warn", "rule/default/r")
    assert "fetched.listchecker.default is asked" in check.text
    refused = explain("http://reviews:9080/", TO_V1 + OBJECTS + fetched + rule('"true"', name="z"))
    assert refused.verdicts[0].status == 403, "whatever the other one would say"


def test_rules_for_others_are_not_told(explain: Explain) -> None:
    other = rule('destination.labels["app"] == "ratings"')
    told = explain("http://reviews:9080/", TO_V1 + OBJECTS + other)
    assert told.arrives
    assert not [step for hop in told.hops for step in hop.steps if step.kind == "check"]


def test_where_mesh_tls_does_not_end_a_caller_is_nobody() -> None:
    server, caller = WorkloadId("shop", "web-1"), WorkloadId("shop", "page-1")
    place = MixerPlace(attributes=Map(Party(name="web-1", namespace="shop").attributes("destination")))
    page = Party(name="page-1", namespace="shop", labels=Map({"app": "page"}))
    deny = build_rule(
        "deny", "no.denier", "any.checknothing", match='source.labels["app"] == "page"', namespace="shop"
    )
    denier, nothing = (
        mixer_config(kind, name, {}, "shop") for kind, name in (("denier", "no"), ("checknothing", "any"))
    )
    rules, _ = compile_in_force((denier, nothing, deny), all_run(), None, ROOT_NAMESPACE)
    known = MixerKnown(
        rules=rules,
        place=lambda workload, port: place if workload == server else None,
        party={caller: page}.get,
    )
    shown = Caller(principal="cluster.local/ns/shop/sa/page", workload="page-1.shop")
    asker = MixerAsker(known, server, Inbound(port=80), shown)
    refused = asker.ask(PolicyPlace(filter="proa.mixer.80"), Request(authority="web"))
    assert refused is not None
    assert refused.answer is not None
    assert refused.answer.status == 400, "a denier that says nothing else"
    assert asker.ask(PolicyPlace(filter="proa.mixer.80.plain"), Request(authority="web")) == Ruling()
    assert asker.ask(PolicyPlace(filter="proa.authz.80"), Request(authority="web")) is None


def test_raw_connections_are_refused_too(explain: Explain) -> None:
    mine = rule('context.protocol == "tcp" && source.labels["app"] == "page"')
    told = explain("", TO_V1 + OBJECTS + mine, tcp="reviews:9081")
    (verdict,) = told.verdicts
    assert verdict.end == "denied"
    assert "PERMISSION_DENIED:no.denier.default:Not allowed" in verdict.text
    assert explain("http://reviews:9080/", TO_V1 + OBJECTS + mine).arrives
