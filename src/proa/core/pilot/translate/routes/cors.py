"""Which pages of other origins may call a route (CORS), answered by the client's own sidecar or the gateway."""

from envoy.extensions.filters.http.cors.v3.cors_pb2 import CorsPolicy

from proa.core.pilot.translate.encode import boolean
from proa.core.pilot.translate.routes.intents import Cors
from proa.core.pilot.translate.routes.match import string_matcher


def build_cors(cors: Cors) -> CorsPolicy:
    policy = CorsPolicy(
        allow_origin_string_match=[string_matcher(origin) for origin in cors.origins],
        allow_methods=",".join(cors.methods),
        allow_headers=",".join(cors.headers),
        expose_headers=",".join(cors.exposed),
        forward_not_matching_preflights=boolean(cors.forward_unmatched),
    )
    if cors.max_age_s is not None:
        policy.max_age = str(cors.max_age_s)
    if cors.credentials:
        policy.allow_credentials.CopyFrom(boolean(True))
    return policy
