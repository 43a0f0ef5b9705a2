"""Everybody behind a cluster."""

from proa.core.pilot.simulate.members import members_of
from proa.core.pilot.simulate.resources import Decoder
from proa.testing.builders import Mesh, registered_port, registration


def test_also_those_that_get_nothing() -> None:
    mesh = Mesh(
        registration("a", registered_port("reviews")),
        registration("b", registered_port("reviews", health="DRAINING"), address="10.0.0.2"),
    )
    decoder = Decoder(mesh.source("client").lookup)
    cluster = decoder.cluster("outbound|9080||reviews.default.svc.cluster.local")
    assert cluster is not None
    found = [
        (each.workload, each.health, each.address, each.priority) for each in members_of(decoder, cluster)
    ]
    assert found == [("default/a", "HEALTHY", "10.0.0.1", 0), ("default/b", "DRAINING", "10.0.0.2", 0)]
