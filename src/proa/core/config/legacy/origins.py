"""What 2018's authentication Policy and MeshPolicy say of end users, as RequestAuthentications.

One object of today for each service that policies of a namespace name, one for the namespace's policy and one for the
mesh's, with a rule for each origin. A policy of 2018 demands a good token of one of its origins unless it says that
origins are optional. Called by `convert`; what the same documents say of peers is not read here.
"""

from collections.abc import Iterable

from proa.core.config.kinds.policy_2018.schema import Jwt, Policy
from proa.core.config.legacy.draft import SPEC, Derived, Place
from proa.core.config.legacy.peers import API_VERSION, DEFAULT
from proa.core.config.legacy.services import APP_LABEL
from proa.core.config.problem import Finding, warning
from proa.core.config.tree import Json
from proa.core.model.names import ObjectRef


def users_of(
    namespace: str, service: str, policies: Iterable[tuple[ObjectRef, Policy]]
) -> tuple[tuple[Derived, ...], tuple[tuple[ObjectRef, Finding], ...]]:
    """`policies` in the order in which they count: the first that names origins is the service's; of all others it is
    told. No service: the whole namespace, or the mesh if it is the root namespace."""
    with_origins = [(ref, policy) for ref, policy in policies if policy.origins]
    if not with_origins:
        return (), ()
    first, policy = with_origins[0]
    findings = [
        (
            ref,
            warning(
                (*SPEC, "origins"), "no-effect", f"{first} says whose tokens are good; this has no effect"
            ),
        )
        for ref, _ in with_origins[1:]
    ]
    rules: list[Json] = []
    places: list[Place] = []
    for index, origin in enumerate(policy.origins):
        if origin.jwt is None:
            continue  # refused when it was read
        places.append(Place((*SPEC, "jwtRules", len(rules)), first, (*SPEC, "origins", index, "jwt")))
        rules.append(_rule(origin.jwt, is_optional=policy.origin_is_optional))
    spec: dict[str, Json] = {"jwtRules": rules}
    if service:
        spec["selector"] = {"matchLabels": {APP_LABEL: service}}
    made = Derived(
        api_version=API_VERSION,
        kind="RequestAuthentication",
        namespace=namespace,
        name=f"{service}-users" if service else DEFAULT,
        spec=spec,
        sources=(first,),
        places=tuple(places),
    )
    return (made,), tuple(findings)


def _rule(jwt: Jwt, *, is_optional: bool) -> Json:
    """2018's proxies handed the token on, and asked for no prefix in headers of the user's own."""
    rule: dict[str, Json] = {"issuer": jwt.issuer, "forwardOriginalToken": True}
    if not is_optional:
        rule["presence"] = "REQUIRED"
    if jwt.audiences:
        rule["audiences"] = list(jwt.audiences)
    if jwt.jwks_uri:
        rule["jwksUri"] = jwt.jwks_uri
    if jwt.jwks:
        rule["jwks"] = jwt.jwks
    if jwt.jwt_headers:
        rule["fromHeaders"] = [{"name": name} for name in jwt.jwt_headers]
    if jwt.jwt_params:
        rule["fromParams"] = list(jwt.jwt_params)
    return rule
