from immutables import Map

from proa.core.attributes.value_types import Value
from proa.core.config.config import Config
from proa.core.config.mixer.annotations import LIMIT, PER_INSTANCE
from proa.core.mixer.asked import Party, Place
from proa.core.mixer.plan.in_force import InForce, compile_in_force
from proa.core.mixer.pushdown.callers import NOBODY, Callers
from proa.core.mixer.pushdown.explaining import (
    ExplainedRule,
    Site,
    explain_rules,
    runs_at,
    streams_at,
    supposed_caller,
    supposed_site,
)
from proa.core.model.names import ObjectRef, WorkloadId
from proa.testing.mixer import all_run, mixer_config, rule

DENY = (
    mixer_config("denier", "no", {}, "istio-system"),
    mixer_config("checknothing", "any", {}, "istio-system"),
)
FETCHED = mixer_config("listchecker", "fetched", {"providerUrl": "http://lists/a"}, "istio-system")


def in_force(*configs: Config) -> InForce:
    return compile_in_force((*DENY, FETCHED, *configs), all_run(), None, "istio-system")[0]


def site(name: str, namespace: str = "default", *, has_peer: bool = True) -> tuple[Site, Place]:
    facts: dict[str, Value] = {
        "destination.namespace": namespace,
        "destination.labels": Map({"app": name}),
        "destination.service.host": f"{name}.{namespace}.svc.cluster.local",
        "context.reporter.kind": "inbound",
    }
    known = Site(workload=WorkloadId(namespace, f"{name}-v1"), port=80, has_peer=has_peer)
    return known, Place(attributes=Map(facts))


def deny(name: str, match: str = "", namespace: str = "default") -> Config:
    return rule(
        name, "no.denier.istio-system", "any.checknothing.istio-system", match=match, namespace=namespace
    )


def listed(name: str, value: str, match: str = "") -> tuple[Config, Config]:
    entry = mixer_config("listentry", f"{name}-value", {"value": value})
    return entry, rule(name, "fetched.listchecker.istio-system", f"{name}-value.listentry", match=match)


def stays(found: ExplainedRule) -> list[tuple[str, str, list[str]]]:
    return [
        (stay.where, stay.by, [str(each) for each in stay.sites])
        for each in found.actions
        for stay in each.stays
    ]


SITES = (site("a"), site("b"), site("b", has_peer=False), site("c", "shop"))


def test_what_is_the_same_at_many_sites_is_told_once() -> None:
    (found,) = explain_rules(in_force(deny("all", "", "istio-system")), SITES, NOBODY)
    assert stays(found) == [
        (
            "proxy",
            "its own refusals",
            ["default/a-v1:80", "default/b-v1:80 (plain text)", "default/b-v1:80", "shop/c-v1:80"],
        )
    ]


def test_rules_come_in_the_order_in_which_they_count_and_alone_if_asked_for() -> None:
    rules = in_force(deny("z", "", "istio-system"), deny("a"), deny("b", 'destination.labels["app"] == "x"'))
    assert [each.rule.name for each in explain_rules(rules, SITES, NOBODY)] == ["z", "a", "b"]
    (nowhere,) = explain_rules(rules, SITES, NOBODY, ObjectRef("rule", "default", "b"))
    assert stays(nowhere) == [("never", "", [])]
    (stay,) = nowhere.actions[0].stays
    assert stay.reason == "its match holds for no port of the namespace default at which requests come in"


def test_why_it_is_asked_and_what_to_change() -> None:
    rules = in_force(*listed("remote", "request.path"), deny("zero"))
    remote, behind = explain_rules(rules, (site("a"),), NOBODY)
    (stay,) = remote.actions[0].stays
    assert (stay.where, stay.change) == ("mixer", "write the list into overrides")
    (stay,) = behind.actions[0].stays
    assert (stay.where, stay.change) == ("mixer", "give it a name before remote")


def test_raw_connections_are_asked_for_unless_a_protocol_is_demanded() -> None:
    rules = in_force(deny("a"), deny("b", 'context.protocol == "http"'))
    assert [(each.rule.name, each.where) for each in streams_at(rules, site("a")[1])] == [("a", "mixer")]


def test_whom_nobody_knows_is_told() -> None:
    rules = in_force(deny("v3", 'source.labels["version"] == "v3"'))
    caller = Party(name="c", namespace="default", labels=Map({"version": "v3"}))
    for callers, why in (
        (NOBODY, "nobody is known whom it could refuse"),
        (Callers(Map({"c.default": caller})), "all that it reads is known to the proxy"),
    ):
        (found,) = explain_rules(rules, (site("a"),), callers)
        assert found.actions[0].stays[0].reason == why


def test_what_cannot_be_kept_is_warned_of_where_it_is_asked() -> None:
    never = 'request.time == timestamp("2018-01-01T00:00:00Z")'
    pushed = in_force(deny("a", never))
    assert explain_rules(pushed, (site("a"),), NOBODY)[0].warnings == ()
    asked = in_force(*listed("a", 'request.headers["x-request-id"]', never))
    assert explain_rules(asked, (site("a"),), NOBODY)[0].warnings == (
        "request.time is another one for each request, so every request asks Mixer",
        'request.headers["x-request-id"] is another one for each request, so every request asks Mixer',
    )
    whole = in_force(*listed("a", 'request.headers[request.method] | "x"'))
    assert explain_rules(whole, (site("a"),), NOBODY)[0].warnings == (
        "request.headers: it is everything at once; name the keys; every request asks Mixer",
    )


def quota(annotations: dict[str, str], match: str = "", service: str = "a") -> InForce:
    limits = {"quotas": [{"name": "requests.quota.default", "maxAmount": 5, "validDuration": "1s"}]}
    return in_force(
        mixer_config("memquota", "limits", limits, annotations=annotations),
        mixer_config("quota", "requests", {}),
        mixer_config("QuotaSpec", "charge", {"rules": [{"quotas": [{"quota": "requests", "charge": 1}]}]}),
        mixer_config(
            "QuotaSpecBinding", "to", {"services": [{"name": service}], "quotaSpecs": [{"name": "charge"}]}
        ),
        rule("limit", "limits.memquota", "requests.quota", match=match),
    )


def test_a_limit_is_counted_where_its_instances_are() -> None:
    own = {LIMIT: PER_INSTANCE}
    for rules, expected in (
        (quota(own), ("proxy", "local_ratelimit", "")),
        (
            quota({}),
            (
                "mixer",
                "ratelimit",
                "annotate limits.memquota.default with proa.dev/limit: per-instance if each instance may have it"
                " for itself",
            ),
        ),
        (quota(own, 'request.path == "/"'), ("mixer", "ratelimit", "write a rule without a match")),
        (quota(own, service="b"), ("never", "", "write a QuotaSpec that does")),
    ):
        (ran,) = runs_at(rules, site("a")[1], NOBODY)
        assert (ran.where, ran.by) == expected[:2]
        assert ran.change.startswith(expected[2])


def test_reports_and_what_generators_tell() -> None:
    told = (
        mixer_config("kubernetesenv", "pods", {}),
        mixer_config("kubernetes", "pod", {"attributeBindings": {"source.name": "$out.source_pod_name"}}),
        rule("generate", "pods.kubernetesenv", "pod.kubernetes"),
    )
    log = (
        mixer_config("stdio", "out", {}),
        mixer_config("logentry", "line", {"severity": '"info"'}),
        rule("log", "out.stdio", "line.logentry"),
    )

    def found(*configs: Config) -> dict[str, str]:
        return {each.rule.name: each.where for each in runs_at(in_force(*configs), site("a")[1], NOBODY)}

    assert found(*told) == {"generate": "never"}
    assert found(*told, *log) == {"generate": "log", "log": "log"}
    assert found(*told, *listed("remote", "request.path")) == {"generate": "mixer", "remote": "mixer"}


def test_a_rule_s_own_words_stand_for_whom_nobody_knows() -> None:
    match = 'destination.labels["app"] == "ratings" && source.labels["version"] == "v3"'
    plan = in_force(deny("a", match), deny("b")).plan
    first, second = plan.rules["default"].rules
    known, place = supposed_site(first, plan.root)
    assert (str(known.workload), known.supposed) == ("default/ratings", True)
    assert place.attributes["destination.labels"] == Map({"app": "ratings"})
    caller = supposed_caller(first)
    assert caller is not None
    assert (caller.name, dict(caller.labels)) == ("caller-v3", {"version": "v3"})
    assert str(supposed_site(second, plan.root)[0].workload) == "default/any"
    assert supposed_caller(second) is None
