"""What policies do to real traffic, several to a scene: who may do what, told and not done, asked of a program, of
2018.

`caller` in the namespace `default` and `far` in `shop` call `web` (declared HTTP) and `lines` (TCP).
"""

import contextlib
import http.client
import re
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from proa.core.model.names import WorkloadId
from proa.core.pilot.explain.page import draw
from proa.core.pilot.explain.story import Question
from tests.mesh.harness import FOREVER, Mesh, app, until
from tests.mesh.load import Load
from tests.ports import held_ports

pytestmark = pytest.mark.mesh

LINES = 7000
_LOCAL: dict[str, int] = {}


EDGE = "authz-edge"


@pytest.fixture(scope="module")
def shop(shared_mesh: Mesh) -> Iterator[Mesh]:
    """All that any test here calls, started and stopped together."""
    mesh = shared_mesh
    with held_ports(2) as ports:
        _LOCAL.update(zip(("lines", "mine"), ports, strict=True))
        yield from _shop(mesh)


def _shop(mesh: Mesh) -> Iterator[Mesh]:
    mesh.run("lines", app("lines", str(_LOCAL["lines"])), port=f"{LINES}:{_LOCAL['lines']}/tcp", wait=False)
    mesh.run("typist", FOREVER, f"--upstream=lines:{LINES}@{_LOCAL['mine']}", wait=False)
    mesh.run("web", app("echo"), "--label=tier=front", port="8081:auto/http", wait=False)
    mesh.run("far", FOREVER, namespace="shop", wait=False)
    mesh.run("checker", app("checker"), port="9001:auto/http", wait=False)
    mesh.run("grpc-checker", app("checker", "grpc"), port="9002:auto/grpc", wait=False)
    mesh.gateway(f"--label=app={EDGE}", name=EDGE, wait=False)
    names = ("lines", "typist", "web", "far", "checker", "grpc-checker", EDGE)
    mesh.until_healthy(*names)
    yield mesh
    mesh.stop_all(*names)


def policy(name: str, spec: str, *, namespace: str = "default", dry: bool = False) -> str:
    annotations = ', annotations: {"istio.io/dry-run": "true"}' if dry else ""
    return f"""
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: {name}, namespace: {namespace}{annotations}}}
spec: {{{spec}}}
"""


class Client:
    """One connection to a workload's explicit proxy, kept open."""

    def __init__(self, mesh: Mesh, workload: str, *, host: str = "web.default:8081") -> None:
        proxy = urlsplit(mesh.proxy(workload))
        self._connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port, timeout=30)
        self._host = host

    def status(self, path: str = "/", method: str = "GET", **headers: str) -> int:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, f"http://{self._host}{path}", headers=sent)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        self._connection.close()


def told(mesh: Mesh, question: Question) -> str:
    """What `proa explain` says, in one line."""
    lines = ("".join(piece.text for piece in line) for line in draw(mesh.admin.explain(question)))
    return " ".join(" ".join(lines).split())


Clients = Callable[..., Client]


@pytest.fixture
def client(shop: Mesh) -> Iterator[Clients]:
    """Makes clients, and closes them when the test ends."""
    made: list[Client] = []

    def make(workload: str, **more: str) -> Client:
        made.append(Client(shop, workload, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


FRONT = "selector: {matchLabels: {tier: front}}"


def test_who_may_do_what(shop: Mesh, client: Clients) -> None:
    allow = policy(
        "front",
        f"""{FRONT}, rules: [
  {{from: [{{source: {{principals: [cluster.local/ns/default/sa/caller]}}}}],
    to: [{{operation: {{methods: [GET], paths: [/open, /items/*, '/a/{{*}}/c'], ports: ['8081']}}}}]}},
  {{from: [{{source: {{namespaces: [shop]}}}}], to: [{{operation: {{hosts: ['WEB.default:*']}}}}],
    when: [{{key: 'request.headers[x-team]', values: [red]}}]}}]""",
    )
    deny = policy("never", "action: DENY, rules: [{to: [{operation: {paths: [/items/secret]}}]}]")
    caller, far = client("caller"), client("far")
    assert caller.status("/anything", "POST") == 200
    before = shop.stats("web", r"http\.inbound\.downstream_cx_total$")
    with shop.applied(allow, deny):
        assert [caller.status(path) for path in ("/open", "/open?x=/no", "/items/7", "/a/b/c")] == [200] * 4
        assert [
            caller.status(path) for path in ("/", "/opened", "/no?/open", "/items/secret", "/a/b/b/c")
        ] == [403] * 5
        assert caller.status("/open", "POST") == 403
        assert [far.status(x_team="red"), far.status(x_team="blue"), far.status()] == [200, 403, 403]
        assert far.status("/items/secret?a", x_team="red") == 403, "a refusal counts before all else"
        shop.logged(
            "web",
            path="/items/secret",
            details="rbac_access_denied_matched_policy[ns[default]-policy[never]-rule[0]]",
        )
        shop.logged("web", path="/opened", details="rbac_access_denied_matched_policy[none]")
        for path, said in (
            ("/items/secret", "=> 403: denied by ns[default]-policy[never]-rule[0]"),
            ("/opened", "=> 403: denied (none): none of 2 rules that allow lets it in"),
            ("/items/7", "allowed by ns[default]-policy[front]-rule[0]"),
        ):
            source = WorkloadId("default", "caller")
            page = told(shop, Question(url=f"http://web.default:8081{path}", source=source))
            assert said in page
            assert "by AuthorizationPolicy/default/" in page
    assert caller.status("/opened") == 200
    after = shop.stats("web", r"http\.inbound\.downstream_cx_total$")
    assert sum(after.values()) - sum(before.values()) <= 1, "only `far` has come: no connection was closed"


def some_more(shop: Mesh) -> None:
    """Until some requests of the load have come in since."""

    def served() -> int:
        return sum(shop.stats("web", r"http\.inbound\.downstream_rq_completed$").values())

    before = served()
    until(lambda: served() >= before + 5, "the load goes on")


def test_changes_under_load_close_no_connection(shop: Mesh, client: Clients) -> None:
    """The next request on a connection that is open obeys; those of others go on, on the connections that they have."""
    far = client("far")
    only = policy("only", f"{FRONT}, rules: [{{from: [{{source: {{principals: ['*/sa/caller']}}}}]}}]")
    counted = r"(http\.inbound\.downstream_cx_destroy|listener_manager\.listener_(modified|added|removed))$"
    with Load(shop, "caller", "http://web.default:8081/load") as load:
        assert far.status() == 200
        before = shop.stats("web", counted)
        for _ in range(3):
            with shop.applied(only):
                assert far.status() == 403
                some_more(shop)
            assert far.status() == 200
            some_more(shop)
        assert shop.stats("web", counted) == before
    assert load.result is not None
    assert load.result.sent > 20, load.result.summary()
    assert not load.result.failures, load.result.summary()
    assert any(name.endswith("downstream_cx_destroy") for name in before), "it is counted"


def test_what_is_told_and_not_done(shop: Mesh, client: Clients) -> None:
    caller = client("caller")
    texts = (
        policy(
            "dry", f"{FRONT}, action: DENY, rules: [{{to: [{{operation: {{paths: [/dry]}}}}]}}]", dry=True
        ),
        policy("only", f"{FRONT}, rules: [{{to: [{{operation: {{paths: [/dry]}}}}]}}]", dry=True),
        policy("seen", f"{FRONT}, action: AUDIT, rules: [{{to: [{{operation: {{paths: [/audit]}}}}]}}]"),
    )
    with shop.applied(*texts):
        assert [caller.status("/dry"), caller.status("/audit")] == [200, 200]
        shop.logged("web", path="/dry", dry_run_deny="ns[default]-policy[dry]-rule[0]", audit="none")
        shop.logged("web", path="/audit", dry_run_allow="none", audit="ns[default]-policy[seen]-rule[0]")
        told = shop.stats("web", "istio_dry_run")
        counted = {name.rpartition("istio_dry_run_")[2]: value for name, value in told.items() if value}
        assert counted == {
            "deny_.shadow_denied": 1,
            "deny_.shadow_allowed": 1,
            "allow_.shadow_allowed": 1,
            "allow_.shadow_denied": 1,
        }


def test_streams(shop: Mesh) -> None:
    def line(stream: socket.socket) -> bytes:
        stream.sendall(b"hello\n")
        with contextlib.suppress(ConnectionError):
            return stream.recv(100)
        return b""

    def opened() -> socket.socket:
        return socket.create_connection(("127.0.0.1", _LOCAL["mine"]), timeout=30)

    lines = "selector: {matchLabels: {app: lines}}"
    other = policy("some", f"{lines}, rules: [{{from: [{{source: {{principals: ['*/sa/caller']}}}}]}}]")
    ours = policy("some", f"{lines}, rules: [{{from: [{{source: {{principals: ['*/sa/typist']}}}}]}}]")
    by_http = policy(
        "by-http", f"{lines}, action: DENY, rules: [{{to: [{{operation: {{methods: [PUT]}}}}]}}]"
    )
    with opened() as stream:
        assert line(stream) == b"HELLO\n"
        with shop.applied(ours), opened() as second:
            assert line(second) == b"HELLO\n"
            with shop.applied(by_http), opened() as third:
                assert line(third) == b"", "a DENY of requests denies what cannot be seen to be none"
        with shop.applied(other):
            until(lambda: not line(stream), "the stream that was let in before is let go")
            with opened() as third:
                assert line(third) == b""
            shop.logged("lines", termination="rbac_access_denied_matched_policy[none]")


SETTINGS = """
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: istio, namespace: istio-system}
spec:
  extensionProviders:
    - name: by-http
      envoyExtAuthzHttp:
        {service: checker.default.svc.cluster.local, port: 9001, timeout: 2s,
         includeRequestHeadersInCheck: [x-decision]}
    - name: by-grpc
      envoyExtAuthzGrpc: {service: default/grpc-checker, port: 9002, timeout: 2s, statusOnError: "503"}
    - name: gone
      envoyExtAuthzHttp: {service: nobody.default.svc.cluster.local, port: 9003, timeout: 1s}
    - name: gone-grpc
      envoyExtAuthzGrpc: {service: nobody.default.svc.cluster.local, port: 9003, timeout: 1s}
    - name: open
      envoyExtAuthzHttp: {service: nobody.default.svc.cluster.local, port: 9003, timeout: 1s, failOpen: true}
"""


def custom(provider: str) -> str:
    rules = "rules: [{to: [{operation: {paths: [/asked*]}}]}]"
    return policy("ask", f"{FRONT}, action: CUSTOM, provider: {{name: {provider}}}, {rules}")


def test_asked_of_a_program(shop: Mesh, client: Clients) -> None:
    caller = client("caller")

    def answers(*decisions: str) -> list[int]:
        return [caller.status("/asked", x_decision=decision) for decision in decisions]

    also = policy("also", f"{FRONT}, action: DENY, rules: [{{to: [{{operation: {{paths: [/asked/no]}}}}]}}]")
    with shop.applied(SETTINGS, custom("by-http"), also):
        assert answers("", "deny", "error", "hang") == [200, 403, 403, 403]
        assert caller.status("/free", x_decision="deny") == 200
        assert caller.status("/asked/no") == 403, "after a yes the other policies are asked"
        shop.apply(custom("by-grpc"))
        assert answers("", "deny", "error", "hang") == [200, 403, 503, 503]
        for provider in ("gone", "gone-grpc"):
            shop.apply(custom(provider))
            assert answers("") == [403], "nobody is there to ask"
            assert caller.status("/free") == 200, "who need not be asked about is not"
        errors = shop.stats("web", r"ext_authz\..*error$")
        assert sum(errors.values()) >= 4, errors
        shop.apply(custom("open"))
        assert answers("deny") == [200], "nobody is there, and its entry says failOpen"
        shop.apply(custom("nobody-knows"))
        assert caller.status("/free") == 403, "who cannot be asked lets nobody in"
        shop.logged(
            "web",
            path="/free",
            details="rbac_access_denied_matched_policy[ns[default]-policy[ask]-rule[provider]]",
        )


ROLES = """
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRole
metadata: {name: reader, namespace: default}
spec:
  rules:
    - {services: ["web.default.svc.cluster.local"], methods: [GET], paths: ["/books*"]}
---
apiVersion: rbac.istio.io/v1alpha1
kind: ServiceRoleBinding
metadata: {name: readers, namespace: default}
spec:
  roleRef: {kind: ServiceRole, name: reader}
  subjects:
    - user: cluster.local/ns/default/sa/caller
    - properties: {source.namespace: shop, "source.labels[app]": far}
"""
SWITCH = """
apiVersion: rbac.istio.io/v1alpha1
kind: RbacConfig
metadata: {name: default, namespace: istio-system}
spec: {mode: %s, %s: {services: [web.default.svc.cluster.local]}}
"""


def test_roles_of_2018(shop: Mesh, client: Clients) -> None:
    caller, far, typist = client("caller"), client("far"), client("typist")
    echo = client("caller", host="echo.default:8080")
    with shop.applied(ROLES, SWITCH % ("ON_WITH_INCLUSION", "inclusion")):
        assert [each.status("/books/7") for each in (caller, far, typist)] == [200, 200, 403]
        assert [caller.status("/"), caller.status("/books", "POST"), echo.status()] == [403, 403, 200]
        shop.apply(SWITCH % ("ON_WITH_EXCLUSION", "exclusion"))
        assert typist.status("/books") == 200, "roles alone refuse nobody"
        assert [caller.status("/"), echo.status()] == [200, 403]


def test_at_a_gateway(shop: Mesh) -> None:
    texts = (
        """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: edge, namespace: default}
spec:
  selector: {app: authz-edge}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["*"]}]
""",
        """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: edge, namespace: default}
spec: {hosts: ["*"], gateways: [edge], http: [{route: [{destination: {host: web, port: {number: 8081}}}]}]}
""",
        policy(
            "edge",
            "selector: {matchLabels: {app: authz-edge}}, action: DENY, rules: [{to: [{operation: {paths: [/admin]}}]},"
            " {from: [{source: {principals: ['*']}}]}]",
            namespace="istio-system",
        ),
    )
    with shop.applied(*texts):
        place = ("127.0.0.1", shop.gateway_port(80, EDGE))
        statuses = []
        with contextlib.closing(http.client.HTTPConnection(*place, timeout=30)) as edge:
            for path in ("/", "/admin?x", "/./admin", "/other"):
                edge.request("GET", path)
                answer = edge.getresponse()
                answer.read()
                statuses.append(answer.status)
        assert statuses == [200, 403, 403, 200]
        gateway = next(each.id for each in shop.admin.proxies().proxies if each.id.name == EDGE)
        page = told(shop, Question(url="http://any.example/admin", gateway=gateway))
        assert "=> 403: denied by ns[istio-system]-policy[edge]-rule[0]" in page
        assert re.search(r"by AuthorizationPolicy/istio-system/edge rules\[0\] \(\S+yaml:\d+, version", page)
