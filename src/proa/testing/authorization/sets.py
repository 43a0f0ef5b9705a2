"""Random policy sets and requests for the law that evaluator and Envoy agree, made so that most rules are near a hit.

Everything follows from a `random.Random`; words are few, so that they meet. Policies are written as users write them
and read by the product."""

from random import Random
from typing import Any

import msgspec

from proa.core.auth.authorization.reading import TrustDomains, read_policy
from proa.core.auth.authorization.request import Claim
from proa.core.auth.authorization.values import Policy
from proa.core.config import Document, load
from proa.core.config.config import Config
from proa.core.config.yaml_reader import NO_MARKS

DOMAINS = TrustDomains(own="cluster.local", aliases=("old.example",))
PORTS = (8080, 80)
PRINCIPALS = (
    "cluster.local/ns/shop/sa/web",
    "cluster.local/ns/shop/sa/api",
    "cluster.local/ns/prod/sa/web",
    "partner.example/ns/shop/sa/web",
    "old.example/ns/prod/sa/web",
)
SNIS = ("", "outbound_.80_._.web.shop", "web.example")
SOURCES = ("127.0.0.1", "127.0.0.7")
_NAMES = ("shop", "prod", "sh", "web", "api", "cluster.local", "partner.example", "x")
_PATHS = (
    "/",
    "/api",
    "/api/v1",
    "/api/v1/items",
    "/api/v2/items/7",
    "/admin",
    "/admin/",
    "/a.b+c",
    "/x/y/z",
    "//a",
)
_TEMPLATES = ("/api/{*}", "/api/{**}", "/{*}/v1/{**}", "/{**}/items", "/api/{*}/items/{*}")
_HOSTS = ("web", "web:80", "web.shop.svc.cluster.local", "WEB.example.COM", "api.example.com:8080")
_METHODS = ("GET", "POST", "DELETE", "PATCH", "OPTIONS")
_HEADERS = ("x-group", "x-env")
_WORDS = ("admin", "user", "admin,user", "a", "test-1", "")
_BLOCKS = ("127.0.0.1", "127.0.0.0/29", "127.0.0.7/32", "10.0.0.0/8", "9.9.9.9", "::1", "0.0.0.0/0")
_ISSUERS = ("https://issuer.example", "me@example.com")
_SUBJECTS = ("alice", "bob/x", "*odd")
_AUDIENCES = ("web", "api")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A request by its parts; `who` is the place of its identity, None for plain text."""

    who: int | None
    source: str
    sni: str
    method: str
    authority: str
    target: str
    headers: tuple[tuple[str, str], ...]
    claims: dict[str, Claim]


def _patterns(rng: Random, words: tuple[str, ...], most: int = 3) -> list[str]:
    return [_pattern(rng, rng.choice(words)) for _ in range(rng.randint(1, most))]


def _pattern(rng: Random, word: str) -> str:
    match rng.randrange(8):
        case 0:
            return "*"
        case 1:
            return word[: rng.randint(1, max(1, len(word)))] + "*"
        case 2:
            return "*" + word[rng.randint(0, max(0, len(word) - 1)) :]
        case _:
            return word or "none"


def _some(rng: Random, fields: dict[str, Any], least: int = 1) -> dict[str, Any]:
    """A few of the fields, each positive, negative or both."""
    kept: dict[str, Any] = {}
    for name in rng.sample(sorted(fields), k=min(len(fields), rng.choice((1, 1, 1, 2, 3)))):
        spelled = "not" + name[0].upper() + name[1:]
        match rng.randrange(5):
            case 0:
                kept[spelled] = fields[name]()
            case 1:
                kept[name], kept[spelled] = fields[name](), fields[name]()
            case _:
                kept[name] = fields[name]()
    return kept


def _source(rng: Random) -> dict[str, Any]:
    if rng.random() < 0.15:
        accounts = ["shop/web", "prod/web", "shop/api", "web"]
        return {"source": _some(rng, {"serviceAccounts": lambda: rng.sample(accounts, k=2)})}
    return {
        "source": _some(
            rng,
            {
                "principals": lambda: _patterns(rng, PRINCIPALS),
                "namespaces": lambda: _patterns(rng, _NAMES),
                "trustDomains": lambda: _patterns(rng, ("cluster.local", "partner.example")),
                "requestPrincipals": lambda: _patterns(rng, _request_principals()),
                "ipBlocks": lambda: rng.sample(_BLOCKS, k=2),
                "remoteIpBlocks": lambda: rng.sample(_BLOCKS, k=2),
            },
        )
    }


def _request_principals() -> tuple[str, ...]:
    return tuple(f"{issuer}/{subject}" for issuer in _ISSUERS for subject in _SUBJECTS)


def _operation(rng: Random) -> dict[str, Any]:
    def paths() -> list[str]:
        return [rng.choice(_TEMPLATES)] if rng.random() < 0.2 else _patterns(rng, _PATHS)

    return {
        "operation": _some(
            rng,
            {
                "hosts": lambda: _patterns(rng, _HOSTS),
                "methods": lambda: _patterns(rng, _METHODS),
                "paths": paths,
                "ports": lambda: [rng.choice(("80", "8080", "9090"))],
            },
        )
    }


def _condition(rng: Random) -> dict[str, Any]:
    key, words = rng.choice(
        (
            (f"request.headers[{rng.choice(_HEADERS)}]", _WORDS),
            (f"request.headers[{rng.choice(_HEADERS)}]", _WORDS),
            ("source.namespace", _NAMES),
            ("source.principal", PRINCIPALS),
            ("source.trustDomain", _NAMES),
            ("request.auth.principal", _request_principals()),
            ("request.auth.audiences", _AUDIENCES),
            ("request.auth.claims[groups]", _WORDS),
            ("request.auth.claims[nested][key]", _WORDS),
            ("connection.sni", SNIS),
            ("experimental.envoy.filters.told[word]", _WORDS),
        )
    )
    condition: dict[str, Any] = {"key": key}
    which = rng.choice((("values",), ("notValues",), ("values", "notValues")))
    for name in which:
        condition[name] = _patterns(rng, words)
    if key.startswith("source.ip"):
        condition["values"] = rng.sample(_BLOCKS, k=2)
    return condition


def _rule(rng: Random) -> dict[str, Any]:
    rule: dict[str, Any] = {}
    if rng.random() < 0.7:
        rule["from"] = [_source(rng) for _ in range(rng.choice((1, 1, 2, 3)))]
    if rng.random() < 0.7:
        rule["to"] = [_operation(rng) for _ in range(rng.choice((1, 1, 2, 6)))]
    if rng.random() < 0.4:
        rule["when"] = [_condition(rng) for _ in range(rng.choice((1, 2)))]
    return rule


def small_set(rng: Random, *, is_stream: bool = False) -> tuple[Policy, ...]:
    """Up to six policies of any action, some run dry, at most one provider."""
    policies: list[Policy] = []
    for number in range(rng.choice((1, 1, 2, 3, 6))):
        action = rng.choice(("ALLOW", "ALLOW", "DENY", "DENY", "AUDIT", "CUSTOM"))
        if is_stream and action == "CUSTOM":
            action = "ALLOW"
        least = 1 if action in ("DENY", "CUSTOM") else 0
        spec: dict[str, Any] = {"action": action}
        rules = [_rule(rng) for _ in range(rng.randint(least, 4))]
        if rules:
            spec["rules"] = rules
        if action == "CUSTOM":
            spec["provider"] = {"name": "checker"}
        dry = action in ("ALLOW", "DENY") and rng.random() < 0.25
        policies.append(policy(f"p{number}", spec, dry=dry))
    return tuple(policies)


def large_set(rng: Random, rules: int) -> tuple[Policy, ...]:
    """So many rules as one mesh's table of who calls what. Nearly all name a caller and a path, of which some are the
    ones that requests have; a few are wide, so that about half of the requests find one."""
    written = [_entry(rng, number) for number in range(rules)]
    written[:: rules // 12] = [_wide(rng) for _ in written[:: rules // 12]]
    cut = rng.randint(rules // 40, rules // 20)
    denied = [each for each in written[:cut] if "from" in each]
    denied += [_refusal(rng) for _ in range(6)]
    return (policy("many", {"rules": written[cut:]}), policy("few", {"action": "DENY", "rules": denied}))


def _entry(rng: Random, number: int) -> dict[str, Any]:
    who = rng.choice(PRINCIPALS) if rng.random() < 0.3 else f"cluster.local/ns/n{number % 40}/sa/a{number}"
    path = rng.choice(_PATHS) if rng.random() < 0.1 else f"/api/v{number % 9}/i{number}"
    operation: dict[str, Any] = {"paths": [path if rng.random() < 0.8 else f"{path}*"]}
    if rng.random() < 0.3:
        operation["methods"] = [rng.choice(_METHODS)]
    if rng.random() < 0.1:
        operation["notPaths"] = _patterns(rng, _PATHS)
    rule: dict[str, Any] = {"from": [{"source": {"principals": [who]}}], "to": [{"operation": operation}]}
    if rng.random() < 0.05:
        rule["when"] = [_condition(rng)]
    return rule


def _refusal(rng: Random) -> dict[str, Any]:
    """Of a caller and a path that requests have."""
    source = {"principals": [rng.choice(PRINCIPALS)]}
    return {"from": [{"source": source}], "to": [{"operation": {"paths": [rng.choice(_PATHS)]}}]}


def _wide(rng: Random) -> dict[str, Any]:
    """One of the two sides is anybody, or a pattern."""
    if rng.random() < 0.5:
        principal = rng.choice(PRINCIPALS)
        shaped = rng.choice((f"{principal.rpartition('/')[0]}/*", f"*{principal[13:]}", principal))
        methods = rng.sample(_METHODS, k=4)
        return {
            "from": [{"source": {"principals": [shaped]}}],
            "to": [{"operation": {"methods": methods}}],
        }
    operation = {"paths": [_pattern(rng, rng.choice(_PATHS))], "methods": [rng.choice(_METHODS)]}
    return {"to": [{"operation": operation}], "when": [_condition(rng)]}


def policy(name: str, spec: dict[str, Any], *, dry: bool = False) -> Policy:
    meta: dict[str, Any] = {"name": name, "namespace": "shop"}
    if dry:
        meta["annotations"] = {"istio.io/dry-run": "true"}
    value: dict[str, Any] = {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": meta,
        "spec": spec,
    }
    read = load(Document(file="f", line=1, value=value, marks=NO_MARKS))
    assert isinstance(read, Config), (read, spec)
    return read_policy(read, DOMAINS)


def asked(rng: Random, identities: int) -> Asked:
    headers: list[tuple[str, str]] = []
    for name in _HEADERS:
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            headers.append((name, rng.choice(_WORDS)))
    if rng.random() < 0.3:
        headers.append(("x-forwarded-for", rng.choice(("9.9.9.9", "1.2.3.4, 10.1.2.3", "127.0.0.7"))))
    if rng.random() < 0.5:
        headers.append(("x-told", rng.choice(_WORDS[:5])))
    if rng.random() < 0.3:
        headers.append(("x-checker", "no"))
    if rng.random() < 0.1:
        headers.append(("x-envoy-original-path", rng.choice(_PATHS)))
    claims: dict[str, Claim] = {}
    if rng.random() < 0.6:
        claims = {"iss": rng.choice(_ISSUERS), "sub": rng.choice(_SUBJECTS), "aud": rng.choice(_AUDIENCES)}
        if rng.random() < 0.5:
            claims["aud"] = list(_AUDIENCES[: rng.randint(0, 2)])
            claims["groups"] = rng.sample(_WORDS, k=2)
            claims["nested"] = {"key": rng.choice((*_WORDS, 7))}
        if rng.random() < 0.2:
            del claims[rng.choice(("iss", "sub"))]
    who = rng.choice((*range(identities), None))
    return Asked(
        who=who,
        source=rng.choice(SOURCES),
        sni=rng.choice(SNIS) if who is not None else "",
        method=rng.choice(_METHODS),
        authority=rng.choice(_HOSTS),
        target=_target(rng),
        headers=tuple(headers),
        claims=claims,
    )


def _target(rng: Random) -> str:
    path = rng.choice(_PATHS)
    if rng.random() < 0.3:
        path += rng.choice(("7", "/", "/items", "/v1/items"))
    if rng.random() < 0.2:
        number = rng.randrange(1000)
        path = f"/api/v{number % 9}/i{number}"
    return path + rng.choice(("", "", "?", "?x=/admin", "?/api"))
