"""What the simulation answers: the way a request takes and where it ends."""

import msgspec

from proa.core.pilot.simulate.request import Request


class Mutual(msgspec.Struct, frozen=True, kw_only=True):
    """Mesh TLS: the server must show one of `accounts` (SPIFFE ids)."""

    sni: str
    accounts: tuple[str, ...]
    alpn: tuple[str, ...] = ()


class Plain(msgspec.Struct, frozen=True, kw_only=True):
    """No TLS of the proxy's making."""


class ServerTls(msgspec.Struct, frozen=True, kw_only=True):
    """TLS to a server outside the mesh, which must have one of `names`."""

    sni: str
    names: tuple[str, ...]


Transport = Mutual | Plain | ServerTls


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint that the load balancer may take. `address` is an IP, a DNS name or `unix://PATH`. `priority` 0 is the
    first; `share`: of all requests, where weights and health alone decide."""

    address: str
    port: int
    transport: Transport
    weight: int = 1
    locality: str = ""
    workload: str = ""
    priority: int = 0
    share: float = 1.0


class FaultTaken(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault does to this very request; 0: that part did not hit."""

    delay_ms: int = 0
    abort_status: int = 0
    abort_grpc: int | None = None


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """What one filter decided: `passed` None where that is known only when it happens. `causes` are who says so,
    objects and their rules; `details`, what was near."""

    filter: str
    passed: bool | None
    why: str
    causes: tuple[tuple[str, str], ...] = ()
    details: tuple[str, ...] = ()


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """`attempts` counts retries, not the first try."""

    attempts: int
    on: tuple[str, ...]
    status_codes: tuple[int, ...] = ()
    per_try_timeout_ms: int = 0


class RouteTaken(msgspec.Struct, frozen=True, kw_only=True):
    """The route that matched, the `index`th of its virtual host. `objects` and `rule` say which configuration it was
    made from; `path`, `authority`:
    what goes upstream; `mirrors`: clusters that may get a copy; `guarded`: the egress guard looks at the address."""

    configuration: str
    virtual_host: str
    name: str
    index: int = 0
    objects: tuple[str, ...] = ()
    rule: str = ""
    path: str = ""
    authority: str = ""
    timeout_ms: int = 0
    retries: Retries | None = None
    fault: FaultTaken | None = None
    mirrors: tuple[str, ...] = ()
    guarded: bool = False


class Forwarded(msgspec.Struct, frozen=True, kw_only=True):
    """To one of the candidates of `cluster`; there is at least one."""

    cluster: str
    candidates: tuple[Candidate, ...]


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The proxy itself answers; `location` is set for redirects, `cluster` when one was chosen in vain. `flag` is
    what Envoy's access log calls it (`NR`, `UH`), nothing where a rule or a filter wants this answer."""

    status: int
    body: str = ""
    location: str = ""
    cluster: str = ""
    flag: str = ""


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """The connection is closed without an answer."""

    cluster: str = ""


End = Forwarded | Answered | Refused


_FLAGS = ("UH", "NR", "DI", "FI", "NC")
"""The flags that are foretold, in the order in which Envoy writes them."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`why` is the way in words, in order; of a CONNECT `listener`, `filter_chain` and `route` are those inside the
    tunnel. `routes`: the configuration that was asked for a route, found or not, in whose words the request was
    `seen`."""

    listener: str
    filter_chain: str = ""
    routes: str = ""
    seen: Request | None = None
    route: RouteTaken | None = None
    checks: tuple[Check, ...] = ()
    end: End
    why: tuple[str, ...] = ()

    @property
    def cluster(self) -> str:
        """The cluster chosen, also when nothing could be reached there."""
        return self.end.cluster

    @property
    def status(self) -> int:
        """What the proxy answers by itself; 0 when it does not."""
        return self.end.status if isinstance(self.end, Answered) else 0

    @property
    def flags(self) -> tuple[str, ...]:
        """As in Envoy's access log, in its order; of a forwarded request only what is known beforehand."""
        fault = self.route.fault if self.route is not None else None
        delayed = ("DI",) if fault is not None and fault.delay_ms else ()
        flag = self.end.flag if isinstance(self.end, Answered) else ""
        return tuple(sorted((*delayed, flag), key=_FLAGS.index)) if flag else delayed

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        return self.end.candidates if isinstance(self.end, Forwarded) else ()
