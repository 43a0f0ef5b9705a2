"""Make before break, as three tables: which types must be settled before a type may move.

Read by `delta_server`. What the tables rest on was watched on Envoy 1.40 over delta ADS:

- Envoy subscribes to the endpoints of a new cluster *before* it answers the CDS response, and once it is up it
  withholds that answer, ACK or NACK, until every warming cluster has its endpoints (and secrets). So what a
  cluster warms by is never held back, whatever else is un-ACKed.
- A *changed* cluster warms again without a new subscription: its endpoints must be sent once more, unchanged as
  they may be, or it stays cold until the 15 s fetch timeout (envoyproxy/envoy#13009).
- LDS is ACKed at once; a listener warms by the ECDS and RDS subscriptions that follow. Holding these answers
  for the listener's own sake would gain nothing and would deadlock with a proxy that ACKs late.
- A stream that asks for endpoints before clusters belongs to an Envoy whose CDS is paused by warming clusters.
"""

from collections.abc import Mapping

from proa.core.pilot.resource import ORDER, ResourceType

WILDCARD_TYPES = frozenset((ResourceType.CLUSTER, ResourceType.LISTENER))

PROVIDERS = (ResourceType.CLUSTER, ResourceType.ENDPOINT, ResourceType.SECRET)
_USERS = (ResourceType.LISTENER, ResourceType.EXTENSION, ResourceType.ROUTE, ResourceType.VIRTUAL_HOST)

Waits = Mapping[ResourceType, tuple[ResourceType, ...]]

# A change to what the proxy already has waits for additions and updates of these types, offered before it or with
# it. Providers wait for nobody: the stream keeps order, and an endpoint must not wait for a cluster to warm.
CHANGE_WAITS: Waits = {kind: () if kind in PROVIDERS else ORDER[: ORDER.index(kind)] for kind in ORDER}

# The answer to a new subscription. It may be what an un-ACKed response waits for.
ANSWER_WAITS: Waits = {
    ResourceType.CLUSTER: (),
    ResourceType.ENDPOINT: (),
    ResourceType.SECRET: (),
    ResourceType.LISTENER: PROVIDERS,
    ResourceType.EXTENSION: (),
    ResourceType.ROUTE: PROVIDERS,
    ResourceType.VIRTUAL_HOST: PROVIDERS,
}

# Removals of providers wait until every user that was offered before has been answered. Endpoints also wait for
# their cluster's removal: the proxy then unsubscribes by itself and nothing is left to send.
REMOVAL_WAITS: Waits = {
    ResourceType.CLUSTER: _USERS,
    ResourceType.ENDPOINT: (*_USERS, ResourceType.CLUSTER),
    ResourceType.SECRET: (*_USERS, ResourceType.CLUSTER),
    **{kind: CHANGE_WAITS[kind] for kind in _USERS},
}

# One round over the types. Providers come twice, because a user that turns out to have nothing to send
# releases their removals.
ROUND = (*ORDER, *PROVIDERS)
