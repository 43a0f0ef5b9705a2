"""How clients of a rule keep their endpoint, from `sessionPersistence` to a cookie or header of the proxy's."""

from proa.core.config.gateway_api.schema import GrpcRule, HttpRule
from proa.core.config.kinds.virtual_service.schema import StickySession
from proa.core.model.digest import digest_of
from proa.core.model.names import ObjectRef


def sticky(ref: ObjectRef, index: int, rule: HttpRule | GrpcRule) -> StickySession | None:
    """Of rule `index` of a route. A rule of several paths, which may share no more than the first slash, has its cookie
    sent to all of the host."""
    spec = rule.session_persistence
    if spec is None:
        return None
    name = spec.session_name or f"proa-session-{digest_of((ref, index))[:8]}"
    if spec.type == "Header":
        return StickySession(header=name.lower())
    is_permanent = spec.cookie_config is not None and spec.cookie_config.lifetime_type == "Permanent"
    return StickySession(cookie=name, path=_path(rule), ttl=spec.absolute_timeout if is_permanent else None)


def _path(rule: HttpRule | GrpcRule) -> str:
    if isinstance(rule, HttpRule) and len(rule.matches) == 1:
        path = rule.matches[0].path
        if path.type != "RegularExpression":
            return path.value.rstrip("/") or "/"
    return "/"
