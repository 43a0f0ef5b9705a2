"""Where each call of a check runs, and why: what the law on a real Envoy cannot tell."""

from immutables import Map

from proa.core.attributes.value_types import Value, ValueType
from proa.core.attributes.vocabulary import STANDARD, Vocabulary
from proa.core.config.config import Config
from proa.core.config.mixer.annotations import FAILURE_POLICY
from proa.core.expression.cel import TRUE, cel_text
from proa.core.mixer.api_specs import apis_for, compile_apis
from proa.core.mixer.asked import Party, Place
from proa.core.mixer.plan.compiling import compile_plan
from proa.core.mixer.pushdown.callers import NOBODY, Callers
from proa.core.mixer.pushdown.deciding import Decided, decide_checks
from proa.core.mixer.pushdown.values import Whose
from proa.testing.mixer import all_run, mixer_config, rule

FACTS: dict[str, Value] = {
    "destination.namespace": "default",
    "destination.labels": Map({"app": "ratings"}),
    "context.reporter.kind": "inbound",
}
PLACE = Place(attributes=Map(FACTS))
CALLERS = Callers(
    Map(
        {
            f"{name}.default": Party(name=name, namespace="default", labels=Map(labels))
            for name, labels in (
                ("reviews-v2", {"app": "reviews", "version": "v2"}),
                ("reviews-v3", {"app": "reviews", "version": "v3"}),
                ("web", {"app": "web"}),
            )
        }
    )
)
DENY = mixer_config("denier", "no", {"status": {"code": 7, "message": "Not allowed"}})
ANY = mixer_config("checknothing", "any", {})
FETCHED = mixer_config("listchecker", "fetched", {"providerUrl": "http://lists/a"})
PATH = mixer_config("listentry", "path", {"value": "request.path"})
REMOTE = rule("b-remote", "fetched.listchecker", "path.listentry")


def decided(*configs: Config, callers: Callers = CALLERS, place: Place = PLACE) -> Decided:
    compiled = compile_plan((DENY, ANY, FETCHED, PATH, *configs), all_run())
    assert not [each for each in compiled.messages if each.code not in ("mixer-unused",)]
    return decide_checks(compiled.plan, place, callers)


def where(found: Decided) -> dict[str, str]:
    return {each.rule.name: each.where for each in found.ran}


def why(found: Decided, name: str) -> tuple[str, str]:
    return next((each.reason, each.change) for each in found.ran if each.rule.name == name)


def deny(name: str, match: str = "", **annotations: str) -> Config:
    return rule(name, "no.denier", "any.checknothing", match=match, annotations=annotations)


V3 = 'source.labels["app"] == "reviews" && source.labels["version"] == "v3"'


def test_labels_of_callers_are_a_set_of_names() -> None:
    (denial,) = decided(deny("v3", f'destination.labels["app"] == "ratings" && {V3}')).denials
    assert denial.whose == Whose(("reviews-v3.default",))
    assert (denial.code, denial.text, denial.condition) == (7, "Not allowed", TRUE)


def test_who_is_no_concern_of_a_rule_is_not_in_it() -> None:
    """So it changes nothing when a workload comes that no rule asks for."""
    more = Callers(CALLERS.parties.set("new.default", Party(name="new", namespace="default")))
    assert decided(deny("v3", V3)) == decided(deny("v3", V3), callers=more)


def test_everybody_else_is_told_by_who_is_not() -> None:
    (denial,) = decided(deny("others", '(source.labels["app"] | "") != "reviews"')).denials
    assert denial.whose == Whose(("reviews-v2.default", "reviews-v3.default"), "others")


def test_who_wears_no_label_is_not_a_stranger() -> None:
    """Nobody knows a stranger's labels, and that a newcomer has none is known."""
    (denial,) = decided(deny("others", 'source.labels["app"] != "reviews"')).denials
    assert denial.whose == Whose(("reviews-v2.default", "reviews-v3.default"), "newcomers")
    entry = mixer_config("listentry", "app", {"value": 'source.labels["app"]'})
    white = mixer_config("listchecker", "white", {"overrides": ["reviews"]})
    found = decided(entry, white, rule("a", "white.listchecker", "app.listentry")).denials
    known = ("reviews-v2.default", "reviews-v3.default", "web.default")
    assert [(each.whose, each.code) for each in found] == [
        (Whose(("web.default",)), 5),
        (Whose(known, "newcomers"), 5),
        (Whose((), "strangers"), 13),
    ]


def test_a_namespace_is_not_told_by_its_workloads() -> None:
    more = Callers(CALLERS.parties.set("new.default", Party(name="new", namespace="default")))
    for callers in (CALLERS, more):
        (denial,) = decided(deny("a", 'source.namespace == "default"'), callers=callers).denials
        assert denial.whose == Whose(("*.default",))


def test_where_nobody_shows_a_certificate_everybody_is_a_stranger() -> None:
    rules = [deny("a", V3), deny("b", 'source.namespace == "default"'), deny("c", "connection.mtls == false")]
    compiled = compile_plan((DENY, ANY, *rules, deny("d", 'source.principal == "a"')), all_run())
    found = decide_checks(compiled.plan, PLACE, CALLERS, has_peer=False)
    assert [(each.rule.name, each.whose, each.condition) for each in found.denials] == [("c", None, TRUE)]


def test_too_many_callers_are_asked_for() -> None:
    many = Map({f"w{number}.default": Party(name=f"w{number}", namespace="default") for number in range(300)})
    found = decided(deny("all", 'source.name != "x"'), callers=Callers(many))
    assert found.denials == ()
    assert why(found, "all") == (
        "more than 256 workloads would have to be told apart by name",
        'ask for source.principal, like match(source.principal, "cluster.local/ns/NAMESPACE/*")',
    )


def test_a_rule_that_cannot_match_there_is_not_looked_at() -> None:
    assert decided(deny("no", 'destination.labels["app"] == "reviews"')) == Decided()
    assert decided(deny("late", "response.code == 500")).denials == ()


def test_what_is_behind_a_remote_call_that_may_refuse_is_asked_too() -> None:
    found = decided(deny("a"), REMOTE, deny("c"))
    assert where(found) == {"a": "proxy", "b-remote": "mixer", "c": "mixer"}
    assert why(found, "b-remote") == (
        "its list is fetched from http://lists/a",
        "write the list into overrides",
    )
    assert why(found, "c") == (
        "default/b-remote is asked first and may refuse the same request",
        "give it a name before b-remote",
    )
    assert {(each.name, action.handler) for each, action in found.asked} == {
        ("b-remote", "fetched.listchecker.default"),
        ("c", "no.denier.default"),
    }


def test_rules_that_exclude_each_other_do_not_wait_for_each_other() -> None:
    remote = rule("b", "fetched.listchecker", "path.listentry", match='request.method == "POST"')
    assert where(decided(remote, deny("c", 'request.method == "GET"'))) == {"b": "mixer", "c": "proxy"}
    several = 'request.method == "PUT" || request.method == "POST"'
    assert where(decided(remote, deny("c", several))) == {"b": "mixer", "c": "mixer"}


def test_what_never_denies_stands_in_nobody_s_way() -> None:
    quiet = rule("a", "quiet.noop", "any.checknothing")
    found = decided(mixer_config("noop", "quiet", {}), quiet, deny("b"))
    assert where(found) == {"a": "proxy", "b": "proxy"}
    assert len(found.denials) == 1


def test_what_a_generator_tells_is_not_the_proxy_s_to_know() -> None:
    generator = (
        mixer_config("kubernetesenv", "pods", {}),
        mixer_config(
            "kubernetes",
            "pod",
            {"attributeBindings": {"source.labels": "$out.source_labels | emptyStringMap()"}},
        ),
        rule("a", "pods.kubernetesenv", "pod.kubernetes"),
    )
    found = decided(*generator, deny("b", V3), deny("c", 'request.path == "/"'))
    assert where(found) == {"b": "mixer", "c": "mixer"}
    assert why(found, "b")[0] == "it reads source.labels, which an adapter tells of each request"
    assert where(decided(*generator, deny("a", 'request.path == "/"'), deny("b", V3)))["a"] == "proxy"


def test_an_instance_that_cannot_be_made_denies_where_its_rule_fails_closed() -> None:
    white = mixer_config("listchecker", "white", {"overrides": ["v1", "v2"]})
    version = mixer_config("listentry", "version", {"value": 'source.labels["version"]'})
    for policy, codes in (("closed", [5, 5, 13]), ("open", [5, 5])):
        listed = rule("a", "white.listchecker", "version.listentry", annotations={FAILURE_POLICY: policy})
        found = decided(white, version, listed).denials
        assert [each.code for each in found] == codes
        assert ("lookup failed: 'source.labels'" in found[-1].text) is (policy == "closed")


def test_one_call_for_rules_of_two_policies_is_asked() -> None:
    entry = mixer_config("listentry", "agent", {"value": "request.useragent"})
    words = mixer_config("listchecker", "words", {"overrides": ["a"]})
    rules = [
        rule(name, "words.listchecker", "agent.listentry", annotations={FAILURE_POLICY: policy})
        for name, policy in (("a", "open"), ("b", "closed"))
    ]
    assert where(decided(entry, words, *rules)) == {"a": "mixer", "b": "mixer"}


def test_a_list_is_told_apart_by_its_kind() -> None:
    def found(spec: object, value: str = "request.path") -> Decided:
        entry = mixer_config("listentry", "entry", {"value": value})
        return decided(
            mixer_config("listchecker", "l", spec), entry, rule("a", "l.listchecker", "entry.listentry")
        )

    (denial,) = found({"overrides": ["/a", "/b"], "blacklist": True}).denials
    assert (denial.code, denial.text, denial.after) == (7, "", " is blacklisted")
    assert denial.value is not None
    assert cel_text(denial.condition).count("request.path") == 4
    assert why(found({"overrides": ["/a"], "entryType": "CASE_INSENSITIVE_STRINGS"}), "a") == (
        "Envoy's CEL does not compare letters' case",
        "write a list of STRINGS or REGEX",
    )
    by_account = found({"overrides": ["cluster.local/ns/a/sa/b"]}, "source.principal").denials
    assert [(each.code, each.prefix) for each in by_account] == [(13, ""), (5, "spiffe://")]
    many = found({"overrides": [f"/{number}" for number in range(300)]})
    assert why(many, "a") == ("its list has more than 256 entries", "split it, or write REGEX")


def test_without_known_callers_labels_are_nobody_s() -> None:
    assert decided(deny("v3", V3), callers=NOBODY).denials == ()


def test_what_specs_tell_is_known_where_it_is_the_same_for_all_requests() -> None:
    declared = mixer_config(
        "attributemanifest", "shop", {"attributes": {"shop.cost": {"valueType": "STRING"}}}
    )
    spec = {
        "attributes": {"attributes": {"api.service": {"stringValue": "shop"}}},
        "patterns": [
            {
                "httpMethod": "GET",
                "uriTemplate": "/a",
                "attributes": {"attributes": {"shop.cost": {"stringValue": "much"}}},
            }
        ],
    }
    bound = {"services": [{"service": "*"}], "apiSpecs": [{"name": "shop"}]}
    vocabulary = Vocabulary(STANDARD.types.set("shop.cost", ValueType.STRING))
    configs = (
        mixer_config("HTTPAPISpec", "shop", spec),
        mixer_config("HTTPAPISpecBinding", "shop", bound),
    )
    apis = apis_for(compile_apis(configs, vocabulary), "ratings")
    place = Place(attributes=PLACE.attributes.update(apis.constants), apis=apis)
    rules = (
        deny("of-all", 'api.service == "shop" && request.path == "/b"'),
        deny("of-some", '(shop.cost | "") == "much"'),
        deny("of-none", '(api.version | "") == "" && request.path == "/c"'),
    )
    assert where(decided(declared, *rules, place=place)) == {
        "of-all": "proxy",
        "of-some": "mixer",
        "of-none": "proxy",
    }
