"""Networks that break or lose packets, in network namespaces that a test has made; never in the machine's own.

A partition drops silently, as a switch without power does: both ends find out by their own timeouts. What runs
inside a namespace still reaches itself over loopback.
"""

import contextlib
import secrets
from collections.abc import Iterator, Sequence

from proa.testing.faults.bounds import FaultUnavailable, bounded, tool

_BEFORE_ALL = "priority -300"


@contextlib.contextmanager
def partition(namespace: str, *, peers: Sequence[str] = (), at_most_s: float = 60.0) -> Iterator[None]:
    """No packet between the namespace and others (IPv4 addresses in `peers`, or everybody). Raises FaultUnavailable."""
    far = f"{{ {', '.join(peers)} }}"
    rules_in = f"ip saddr {far} drop" if peers else 'iifname != "lo" drop'
    rules_out = f"ip daddr {far} drop" if peers else 'oifname != "lo" drop'
    with _table(namespace, rules_in, rules_out, f"the partition of {namespace}", at_most_s):
        yield


@contextlib.contextmanager
def flaky_network(
    namespace: str,
    *,
    loss_percent: float = 1.0,
    delay_ms: int = 0,
    jitter_ms: int = 0,
    device: str = "eth0",
    at_most_s: float = 60.0,
) -> Iterator[None]:
    """Loses a share of the packets in each direction, and delays those that go out.

    Loss is a packet filter's, delay a queue's (netem), which not every kernel has. Raises FaultUnavailable.
    """
    share = round(loss_percent * 100)
    if not 0 <= share <= 10_000:
        raise ValueError(f"a loss of {loss_percent} % is none")
    what = f"the flaky network of {namespace}"
    with contextlib.ExitStack() as stack:
        if share:
            chance = f"numgen random mod 10000 < {share}" if share < 10_000 else ""
            lost = f'ifname != "lo" {chance} drop'
            stack.enter_context(_table(namespace, f"i{lost}", f"o{lost}", what, at_most_s))
        if delay_ms:
            stack.enter_context(_delayed(namespace, device, delay_ms, jitter_ms, what, at_most_s))
        yield


@contextlib.contextmanager
def _table(namespace: str, rules_in: str, rules_out: str, what: str, at_most_s: float) -> Iterator[None]:
    nft = (*_inside(namespace), "nft")
    name = f"proa_fault_{secrets.token_hex(4)}"
    text = "\n".join(
        (
            f"table inet {name} {{",
            f"chain arriving {{ type filter hook input {_BEFORE_ALL}; {rules_in}; }}",
            f"chain leaving {{ type filter hook output {_BEFORE_ALL}; {rules_out}; }}",
            "}",
        )
    )

    def mend() -> None:
        with contextlib.suppress(FaultUnavailable):  # it was never made, or went with its namespace
            tool((*nft, "delete", "table", "inet", name))

    with bounded(what, at_most_s, mend):
        tool((*nft, "-f", "-"), stdin=text)
        yield


@contextlib.contextmanager
def _delayed(
    namespace: str, device: str, delay_ms: int, jitter_ms: int, what: str, at_most_s: float
) -> Iterator[None]:
    queue = (*_inside(namespace), "tc", "qdisc")

    def mend() -> None:
        with contextlib.suppress(FaultUnavailable):
            tool((*queue, "delete", "dev", device, "root"))

    with bounded(what, at_most_s, mend):
        tool((*queue, "add", "dev", device, "root", "netem", "delay", f"{delay_ms}ms", f"{jitter_ms}ms"))
        yield


def _inside(namespace: str) -> tuple[str, ...]:
    """Raises ValueError for a name that is none: the machine's own network is not to be broken."""
    if not namespace or "/" in namespace or namespace.startswith("."):
        raise ValueError(f"{namespace!r} is no network namespace")
    return ("ip", "netns", "exec", namespace)
