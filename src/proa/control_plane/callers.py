"""What each caller has used of its limits: one bucket per node and kind, one pair per stream.

Owner of all paces by node. Who asks says how many workloads the node has registered, since what a node may do grows
with what it runs. Bounded: a node that has been quiet long enough for its buckets to be full is as one never heard of.
"""

from collections.abc import Callable

from proa.control_plane.limits import Limits, grown
from proa.runtime.bucket import Bucket, Rate


class Pace:
    """Of one line (a stream, a session): messages and bytes, and with `shared` the node's messages over all lines."""

    def __init__(
        self, messages: Rate, size: Rate, clock: Callable[[], float], shared: Bucket | None = None
    ) -> None:
        now = clock()
        self._clock = clock
        self._messages = Bucket(messages, now)
        self._bytes = Bucket(size, now)
        self._shared = shared

    def after(self, body: bytes) -> float:
        """A message has come: the seconds until the next one should be read."""
        now = self._clock()
        shared = self._shared.owe(now) if self._shared is not None else 0.0
        return max(self._messages.owe(now), self._bytes.owe(now, len(body)), shared)


class Callers:
    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def stream(self, node: str) -> Pace:
        """The pace of a new stream; the node's own pace holds over all of its streams."""
        limits = self._limits
        shared = self._bucket("requests", node, limits.requests_of_node)
        return Pace(limits.requests_of_stream, limits.bytes_of_stream, self._clock, shared)

    def session(self) -> Pace:
        return Pace(self._limits.states_of_session, self._limits.bytes_of_session, self._clock)

    def may_open(self, node: str, workloads: int) -> float:
        """0 when the node may open a stream now, else the seconds until it may."""
        rate = grown(self._limits.streams_of_node, self._limits.streams_of_workload, workloads)
        return self._take("streams", node, rate)

    def may_sign(self, node: str, workloads: int) -> float:
        """0 when the node may have a certificate signed now, else the seconds until it may."""
        rate = grown(self._limits.signs_of_node, self._limits.signs_of_workload, workloads)
        return self._take("signs", node, rate)

    @property
    def remembered(self) -> int:
        return len(self._buckets)

    def _take(self, kind: str, node: str, rate: Rate) -> float:
        bucket, now = self._bucket(kind, node, rate), self._clock()
        return 0.0 if bucket.take(now) else bucket.wait_s(now)

    def _bucket(self, kind: str, node: str, rate: Rate) -> Bucket:
        bucket = self._buckets.get((kind, node))
        if bucket is None:
            self._make_room()
            bucket = self._buckets[(kind, node)] = Bucket(rate, self._clock())
        elif bucket.rate != rate:
            bucket.change(rate)
        return bucket

    def _make_room(self) -> None:
        if len(self._buckets) < 3 * self._limits.nodes:
            return
        now = self._clock()
        used = {key: bucket for key, bucket in self._buckets.items() if not bucket.is_full(now)}
        while len(used) >= 3 * self._limits.nodes:
            del used[next(iter(used))]
        self._buckets = used
