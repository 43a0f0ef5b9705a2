"""Refuses paths that the next proxy or the program would read apart from this one (`core.model.paths`).

First in each chain, so that the route by which a request was sent and the policies that it meets have one path; and a
part of the listener, so that it cannot fail to come. Where paths are left as they are (`NONE`) nothing is promised of
them, and it is not there.
"""

from typing import Final

from envoy.config.rbac.v3.rbac_pb2 import RBAC as Rules
from envoy.config.rbac.v3.rbac_pb2 import Permission, Policy, Principal
from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import HttpFilter
from envoy.type.matcher.v3.path_pb2 import PathMatcher
from envoy.type.matcher.v3.string_pb2 import StringMatcher

from proa.core.model.paths import DOTS_WITH_PARAMETERS, READ_TWICE
from proa.core.pilot.translate.encode import pack

PATH_GUARD: Final = "proa.path"


def path_guard() -> HttpFilter:
    """Envoy counts what it refuses as `http.<direction>.rbac.proa_path_.denied`."""
    read_twice = [
        Permission(url_path=PathMatcher(path=StringMatcher(contains=dots))) for dots in DOTS_WITH_PARAMETERS
    ]
    policy = Policy(
        permissions=[Permission(or_rules=Permission.Set(rules=read_twice))], principals=[Principal(any=True)]
    )
    config = RBAC(
        rules=Rules(action=Rules.DENY, policies={READ_TWICE: policy}), rules_stat_prefix="proa_path_"
    )
    return HttpFilter(name=PATH_GUARD, typed_config=pack(config))
