"""Names of the filters in our chains: routes configure filters by these, so both sides read them here."""

from typing import Final

FILTER_STATE: Final = "envoy.filters.http.set_filter_state"
CORS: Final = "envoy.filters.http.cors"
FAULT: Final = "envoy.filters.http.fault"
SESSION: Final = "envoy.filters.http.stateful_session"
FORWARD_PROXY: Final = "envoy.filters.http.dynamic_forward_proxy"
EGRESS_GUARD: Final = "proa.egress_guard"
JWT: Final = "envoy.filters.http.jwt_authn"
JWT_PAYLOAD: Final = "payload"
"""Where a good token's claims are left, below the filter's own name in the dynamic metadata: policies and routes read
them there."""
ROUTER: Final = "envoy.filters.http.router"

TCP_CLUSTER_KEY: Final = "envoy.tcp_proxy.cluster"
ALPN_KEY: Final = "envoy.network.application_protocols"

APP_REFUSED_HEADER: Final = "x-proa-app-refused"
"""Set by a server's sidecar on the 503 it answers when its app took no connection, so that the client's sidecar
may try another replica (such a 503 is not a connect failure there). Stripped from every app's own responses on
the way in and from every response on the way out: users neither see nor forge it."""
