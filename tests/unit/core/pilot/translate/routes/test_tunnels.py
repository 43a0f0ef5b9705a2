"""How CONNECT is shared out; which way it takes is shown by simulation beside `outbound`."""

from proa.core.model.names import ObjectRef
from proa.core.pilot.simulate.resources import objects_of, rule_of
from proa.core.pilot.translate.routes.intents import Connect, ConnectStream, Stream, Target, VirtualHostIntent
from proa.core.pilot.translate.routes.tunnels import connect_routes

REF = ObjectRef("VirtualService", "default", "a")


def stream(*weights: int, idle: int | None = None, longest: int = 0) -> Stream:
    targets = tuple(Target(cluster=f"c{number}", weight=weight) for number, weight in enumerate(weights))
    return Stream(targets=targets, idle_timeout_ms=idle, max_duration_ms=longest)


def intent(*streams: ConnectStream, guarded: str = "") -> VirtualHostIntent:
    connect = Connect(port=443, tunnel="connect_443", streams=streams, guarded=guarded)
    return VirtualHostIntent(name="a", domains=("a:443",), routes=(), connect=connect, objects=(REF,))


def test_shares_are_laid_end_to_end() -> None:
    routes = list(connect_routes(intent(ConnectStream(stream=stream(1, 2, 1)))))
    shares = [each.match.runtime_fraction.default_value.numerator for each in routes]
    assert shares == [250_000, 750_000, 0]
    assert not routes[-1].match.HasField("runtime_fraction"), "the last takes what is left"


def test_names_are_asked_of_the_authority() -> None:
    named = ConnectStream(
        names=("a.example", "*.b.example", "*"), stream=stream(1), objects=(REF,), rule="tls[0]"
    )
    exact, suffix, anything = connect_routes(intent(named))
    assert exact.match.headers[0].string_match.exact == "a.example:443"
    assert suffix.match.headers[0].string_match.suffix == ".b.example:443"
    assert not anything.match.headers
    assert (objects_of(exact.metadata), rule_of(exact.metadata)) == ((str(REF),), "tls[0]")


def test_what_rules_leave_goes_straight_out() -> None:
    *_, last = connect_routes(intent(ConnectStream(names=("x",), stream=stream(1)), guarded="out"))
    assert last.route.cluster == "out"


def test_limits_are_the_tunnels() -> None:
    (limited,) = connect_routes(intent(ConnectStream(stream=stream(1, idle=0, longest=1500))))
    assert limited.route.HasField("idle_timeout")
    assert limited.route.idle_timeout.ToMilliseconds() == 0
    assert limited.route.max_stream_duration.max_stream_duration.ToMilliseconds() == 1500
    (free,) = connect_routes(intent(ConnectStream(stream=stream(1))))
    assert not free.route.HasField("idle_timeout")
    assert not free.route.HasField("max_stream_duration")


def test_a_host_may_say_nothing_of_tunnels() -> None:
    assert list(connect_routes(VirtualHostIntent(name="a", domains=("a",), routes=()))) == []
