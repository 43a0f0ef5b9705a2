"""What of a workload is registered and told, from what happens to it."""

from pathlib import Path

import pytest

from proa.core.sidecar.local import AppPort, HealthChanged, WorkloadSpec, parse_port
from proa.core.sidecar.record import Record
from proa.core.sidecar.session import Health, Registration
from proa.core.sidecar.supervision import State
from proa.home import Home
from proa.node.options import NodeOptions
from proa.node.places import Place
from proa.node.standing import Standing

PORTS = tuple(
    AppPort(service="hello", service_port=number, sidecar_port=number + 1, app_port=number + 2)
    for number in (80, 90)
)
SPEC = WorkloadSpec(name="hello", ports=(parse_port("80:82", "hello"), parse_port("90:92", "hello")))


class Known:
    """A workload that knows what the test says, and remembers what was registered and told."""

    def __init__(self, options: NodeOptions) -> None:
        self.sidecar: State | None = None
        self.is_placed = True
        self.registered: list[tuple[Health, ...]] = []
        self.told: list[Health] = []
        self._place = Place(
            spec=SPEC,
            node="here",
            address=options.address,
            network="",
            locality="",
            ports=PORTS,
            upstreams=(),
            outbound_port=1,
        )
        self.standing = Standing(self._place, self, self._register, self._tell)

    def registration(self, health: dict[AppPort, Health]) -> Registration:
        return self._place.registration(health, ())

    def _register(self, registration: Registration) -> None:
        self.registered.append(tuple(port.health for port in registration.ports))

    def _tell(self, event: HealthChanged) -> None:
        self.told.append(event.state)


@pytest.fixture
def known(tmp_path: Path) -> Known:
    return Known(NodeOptions(home=Home(tmp_path)))


def test_a_port_is_as_well_as_its_app_and_its_sidecar_together(known: Known) -> None:
    standing = known.standing
    standing.publish()
    for port in PORTS:
        standing.port_is(port, "HEALTHY", "")
    assert known.registered[-1] == ("STARTING", "STARTING"), "the sidecar is not there yet"
    known.sidecar = State.READY
    standing.publish()
    assert known.registered[-1] == ("HEALTHY", "HEALTHY")
    standing.port_is(PORTS[1], "UNHEALTHY", "refused")
    assert known.registered[-1] == ("HEALTHY", "UNHEALTHY")
    assert standing.health == "UNHEALTHY"
    assert known.told == ["STARTING", "HEALTHY", "UNHEALTHY"]


@pytest.mark.parametrize("state", [State.SILENT, State.RESTING, State.SPAWNED])
def test_a_sidecar_that_was_ready_and_is_not_makes_all_unhealthy(known: Known, state: State) -> None:
    known.sidecar = State.READY
    for port in PORTS:
        known.standing.port_is(port, "HEALTHY", "")
    known.sidecar = state
    known.standing.publish()
    assert known.registered[-1] == ("UNHEALTHY", "UNHEALTHY")


def test_a_drain_hides_all_else_until_it_is_taken_back(known: Known) -> None:
    known.sidecar = State.READY
    for port in PORTS:
        known.standing.port_is(port, "HEALTHY", "")
    known.standing.drain()
    known.standing.port_is(PORTS[0], "UNHEALTHY", "")
    assert known.registered[-1] == ("DRAINING", "DRAINING")
    known.standing.port_is(PORTS[0], "HEALTHY", "")
    known.standing.resume()
    assert known.registered[-1] == ("HEALTHY", "HEALTHY")


def test_what_an_earlier_agent_had_is_registered_as_it_was(known: Known) -> None:
    record = Record(boot="", spec=SPEC, address="127.0.0.1", ports=PORTS, health=("HEALTHY", "UNHEALTHY"))
    known.standing.restore(record, is_draining=False)
    known.sidecar = State.READY
    known.standing.publish()
    assert known.registered == [("HEALTHY", "UNHEALTHY")]
    assert known.standing.apps == record.health
    assert known.told == [], "its owner has heard it"
    known.standing.say_again()
    assert known.told == ["UNHEALTHY"]


def test_one_that_drained_goes_on_draining(known: Known) -> None:
    record = Record(boot="", spec=SPEC, address="127.0.0.1", ports=PORTS, health=("HEALTHY", "HEALTHY"))
    known.sidecar = State.READY
    known.standing.restore(record, is_draining=True)
    known.standing.publish()
    assert known.registered == [("DRAINING", "DRAINING")]


def test_nothing_is_registered_of_one_that_leaves(known: Known) -> None:
    known.standing.leave()
    known.standing.port_is(PORTS[0], "HEALTHY", "")
    assert known.registered == []
