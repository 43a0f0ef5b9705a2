from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import ExtAuthz
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from google.protobuf.any_pb2 import Any as AnyMessage

from proa.core.auth.authorization.values import Action, Policy, Rule, Term, Value
from proa.core.model.check_providers import CheckProvider
from proa.core.model.names import ObjectRef
from proa.core.pilot.filter_chain_message import FILTER_CHAIN_URL
from proa.core.pilot.translate.authorization.filters import (
    AuthorizationIntent,
    authorization_name,
    authorization_place,
    build_authorization,
    request_filters,
    seen_from,
    stream_filters,
)
from proa.core.pilot.translate.authorization.predicates import Place

PROVIDER = CheckProvider(name="x", host="x.example", port=9, is_grpc=False)
PATH = Term(attribute="path", values=(Value("exact", "/a"),))


def policy(action: Action, *, dry: bool = False, provider: str = "") -> Policy:
    ref = ObjectRef("AuthorizationPolicy", "default", f"{action}-{dry}".lower())
    rules = (Rule(name=action, conditions=(PATH,)),)
    return Policy(ref=ref, action=action, rules=rules, is_dry_run=dry, provider=provider)


def intent(*policies: Policy) -> AuthorizationIntent:
    place = Place(ports=(80,), trust_domain="cluster.local")
    return AuthorizationIntent(
        name=authorization_name(80), place=place, policies=policies, providers=(PROVIDER,)
    )


def names(*policies: Policy) -> list[str]:
    return [each.name.removeprefix("proa.authz.") for each in request_filters(intent(*policies))]


def test_what_is_asked_and_in_which_order() -> None:
    assert names() == []
    assert names(policy("ALLOW")) == ["state", "rules"]
    everything = (
        policy("ALLOW"),
        policy("DENY"),
        policy("AUDIT"),
        policy("CUSTOM", provider="x"),
        policy("DENY", dry=True),
        policy("ALLOW", dry=True),
    )
    shadows = ["proa_audit", "istio_dry_run_deny", "istio_dry_run_allow", "istio_ext_authz"]
    assert names(*everything) == ["state", *shadows, "ask", "rules"]


def test_a_place_that_is_empty_passes_everything_and_one_without_its_filling_nobody() -> None:
    resource = build_authorization(intent())
    extension = TypedExtensionConfig()
    AnyMessage.FromString(resource.body).Unpack(extension)
    assert (extension.name, extension.typed_config.type_url) == ("proa.authz.80", FILTER_CHAIN_URL)
    assert extension.typed_config.value == b""
    place = authorization_place("proa.authz.80")
    assert not place.config_discovery.HasField("default_config")
    assert not place.config_discovery.apply_default_config_without_warming


def test_a_refusal_names_the_policies() -> None:
    assert build_authorization(intent(policy("DENY"))).objects == (policy("DENY").ref,)


def test_a_provider_that_nobody_knows_refuses_in_the_policys_name() -> None:
    (rules,) = request_filters(intent(policy("CUSTOM", provider="y")))
    config = RBAC()
    rules.typed_config.Unpack(config)
    assert b"ns[default]-policy[custom-false]-rule[provider]" in config.SerializeToString()


def test_who_is_asked_unless_told_not_to() -> None:
    (ask,) = [
        each
        for each in request_filters(intent(policy("CUSTOM", provider="x")))
        if each.name == "proa.authz.ask"
    ]
    config = ExtAuthz()
    ask.typed_config.Unpack(config)
    assert not config.failure_mode_allow
    assert config.http_service.server_uri.cluster == "outbound|9||x.example"
    assert config.filter_enabled_metadata.invert, "whatever is there, or is not: asked"


def test_plain_text_has_a_place_of_its_own() -> None:
    mesh = intent(policy("DENY"))
    plain = seen_from(mesh, has_peer=False)
    assert (seen_from(mesh, has_peer=True), plain.name, plain.place.has_peer) == (
        mesh,
        "proa.authz.80.plain",
        False,
    )


def test_streams() -> None:
    assert stream_filters(intent()) == []
    by_http = [each.name for each in stream_filters(intent(policy("CUSTOM", provider="x"), policy("AUDIT")))]
    assert by_http == ["proa.authz.proa_audit", "proa.authz.rules"], "nobody can be asked: refused"
