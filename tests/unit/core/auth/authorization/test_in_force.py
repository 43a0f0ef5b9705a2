from proa.core.auth.authorization.in_force import selecting, selectors_of_policy, wears
from proa.core.config import Config, Json
from proa.core.config.kinds.authorization_policy.schema import AuthorizationPolicy
from proa.testing.builders import config


def test_by_namespace_and_labels() -> None:
    def policy(name: str, namespace: str, **labels: Json) -> Config:
        spec: dict[str, Json] = {"selector": {"matchLabels": dict(labels)}} if labels else {}
        return config("AuthorizationPolicy", name, spec, namespace=namespace, group="security")

    configs = [
        policy("own", "shop"),
        policy("web", "shop", app="web"),
        policy("api", "shop", app="api"),
        policy("mesh", "root"),
        policy("other", "prod"),
    ]
    found = selecting(configs, "shop", {"app": "web"}, "root")
    assert [each.meta.name for each in found] == ["mesh", "own", "web"]


def test_a_gateways_proxies() -> None:
    target: Json = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge"}
    spec = config("AuthorizationPolicy", "a", {"targetRefs": [target]}, group="security").spec
    assert isinstance(spec, AuthorizationPolicy)
    (wanted,) = selectors_of_policy(spec)
    assert wears({"gateway.networking.k8s.io/gateway-name": "edge"}, wanted)
    assert not wears({}, wanted)
