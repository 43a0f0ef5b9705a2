"""Objects of Gateway API for tests, in few words."""

from proa.core.config import Config, load_all

HEAD = "apiVersion: gateway.networking.k8s.io/v1\n"


def gateway(*listeners: str, name: str = "web", class_name: str = "proa") -> str:
    spec = f"{{gatewayClassName: {class_name}, listeners: [{', '.join(listeners)}]}}"
    return f"{HEAD}kind: Gateway\nmetadata: {{name: {name}}}\nspec: {spec}\n"


def route(
    name: str, *rules: str, parents: str = "{name: web}", hosts: str = "", namespace: str = "default"
) -> str:
    spec = f"{{parentRefs: [{parents}], hostnames: [{hosts}], rules: [{', '.join(rules)}]}}"
    return f"{HEAD}kind: HTTPRoute\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {spec}\n"


def to(service: str, path: str = "", more: str = "") -> str:
    """A rule."""
    match = f"matches: [{{path: {{value: {path}}}}}], " if path else ""
    return f"{{{match}{more}backendRefs: [{{name: {service}, port: 8080}}]}}"


HTTP = "{name: http, port: 80, protocol: HTTP}"
CALLERS = "{group: '', kind: Service, name: c}"


def loaded(*texts: str) -> tuple[Config, ...]:
    found = load_all("---\n".join(texts), "test.yaml")
    assert not found.errors, found.errors
    return found.configs
