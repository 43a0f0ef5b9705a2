"""Mixer's rules as the world holds them, and who is looked at when one changes."""

from collections.abc import Iterable

from proa.core.config.config import Config
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import Change
from proa.core.pilot.resource import ResourceType
from proa.core.pilot.translate.filters.mixer.cluster import MIXER_CLUSTER
from proa.testing.builders import Mesh, removal, simple
from proa.testing.mixer import all_run, mixer_config, rule

CLUSTER, ENDPOINT = ResourceType.CLUSTER, ResourceType.ENDPOINT
EXTENSION, LISTENER = ResourceType.EXTENSION, ResourceType.LISTENER
SERVER = WorkloadId("default", "web-v1")
OTHER = WorkloadId("shop", "api-v1")
SHARED = (
    mixer_config("denier", "no", {}, "istio-system"),
    mixer_config("checknothing", "any", {}, "istio-system"),
    mixer_config("listchecker", "fetched", {"providerUrl": "http://lists/a"}, "istio-system"),
    mixer_config("listentry", "path", {"value": "request.path"}, "istio-system"),
)
PORT = 9080


class Watched(Mesh):
    """A mesh of two servers in two namespaces, whose proxies are there."""

    def __init__(self) -> None:
        super().__init__(simple("web", "v1"), simple("shop/api", "v1"), catalogue=all_run())
        self.told: dict[WorkloadId, set[tuple[ResourceType, str]]] = {}
        for each in (SERVER, OTHER):
            self.source(each)
        self.world.subscribe(lambda generation, affected, scopes, workloads: self.told.update(workloads))
        self.world.fold_in([Change(control_planes=("10.0.0.9:15012",), configs=SHARED)])
        self.told.clear()

    def put(
        self, *objects: Config, gone: Iterable[Config] = ()
    ) -> dict[WorkloadId, set[tuple[ResourceType, str]]]:
        self.told.clear()
        self.world.fold_in([Change(configs=objects), removal(*(each.ref for each in gone))])
        return {workload: names for workload, names in self.told.items() if names}


def ask(match: str, namespace: str = "default", name: str = "ask") -> Config:
    return rule(name, "fetched.listchecker", "path.listentry", match=match, namespace=namespace)


def deny(match: str, namespace: str = "default", name: str = "deny") -> Config:
    return rule(name, "no.denier", "any.checknothing", match=match, namespace=namespace)


def test_a_rule_changes_the_place_and_brings_the_cluster_and_leaves_the_listener() -> None:
    mesh = Watched()
    place = (EXTENSION, f"proa.mixer.{PORT}")
    assert mesh.source(SERVER).lookup(*place) is not None
    assert mesh.source(SERVER).lookup(CLUSTER, MIXER_CLUSTER) is None
    here = ask('destination.labels["version"] == "v1"')
    found = mesh.put(here)
    assert found.keys() == {SERVER}
    assert found[SERVER] == {place, (CLUSTER, MIXER_CLUSTER), (ENDPOINT, MIXER_CLUSTER)}
    assert mesh.put(gone=[here]) == found


def test_one_that_cannot_match_anywhere_is_told_to_nobody() -> None:
    mesh = Watched()
    assert mesh.put(deny('destination.labels["version"] == "v2"', "istio-system")) == {}
    assert not mesh.world.mixer.is_idle


def test_rules_of_the_root_are_for_all_that_they_can_match() -> None:
    mesh = Watched()
    assert mesh.put(deny('destination.service.name == "api"', "istio-system")).keys() == {OTHER}
    assert SERVER in mesh.put(deny("", "istio-system", "all"))


def test_what_is_not_mixers_compiles_nothing_and_equal_rules_are_the_same_value() -> None:
    mesh = Watched()
    mesh.put(deny(""))
    before, compilations = mesh.world.mixer, mesh.world.mixer_compilations
    mesh.place(simple("new", "v1"))
    assert mesh.world.mixer_compilations == compilations
    mesh.put(mixer_config("denier", "unused", {}, "default"))
    assert mesh.world.mixer_compilations == compilations + 1
    assert mesh.world.mixer is before


def test_other_control_planes_are_told_to_those_who_ask() -> None:
    mesh = Watched()
    mesh.put(ask(""))
    mesh.told.clear()
    mesh.world.fold_in([Change(control_planes=("10.0.0.9:15012", "10.0.0.10:15012"))])
    assert mesh.told == {SERVER: {(ENDPOINT, MIXER_CLUSTER)}}


def test_a_workload_that_comes_later_has_what_rules_want_of_it() -> None:
    mesh = Watched()
    mesh.put(ask(""))
    late = WorkloadId("default", "late-v1")
    mesh.place(simple("late", "v1"))
    assert mesh.source(late).lookup(CLUSTER, MIXER_CLUSTER) is not None


# Of raw connections Mixer is asked by whatever rule does not demand a protocol.
REQUESTS = 'context.protocol == "http"'
V3 = f'{REQUESTS} && source.labels["app"] == "late" && source.labels["version"] == "v3"'


def test_what_a_proxy_refuses_itself_needs_no_way_to_mixer() -> None:
    mesh = Watched()
    assert mesh.put(deny(REQUESTS)) == {SERVER: {(EXTENSION, f"proa.mixer.{PORT}")}}
    assert mesh.source(SERVER).lookup(CLUSTER, MIXER_CLUSTER) is None


def test_servers_hear_of_the_callers_that_their_rules_mean_and_of_no_others() -> None:
    mesh = Watched()
    place = (EXTENSION, f"proa.mixer.{PORT}")
    assert mesh.put(deny(V3)) == {}
    callers = mesh.world.callers
    for number in range(3):
        mesh.told.clear()
        mesh.place(simple(f"idle{number}", "v3"))
        assert not mesh.told.get(SERVER)
    assert mesh.world.callers is callers
    mesh.told.clear()
    mesh.place(simple("late", "v3"))
    assert mesh.told[SERVER] == {place}
    assert not mesh.told.get(OTHER)
    mesh.told.clear()
    mesh.displace("default/late-v3")
    assert mesh.told[SERVER] == {place}


def test_a_rule_that_comes_later_knows_who_is_there() -> None:
    mesh = Watched()
    mesh.place(simple("late", "v3"))
    assert mesh.put(deny(V3)) == {SERVER: {(EXTENSION, f"proa.mixer.{PORT}")}}


def test_the_world_knows_places_and_parties() -> None:
    mesh = Watched()
    place = mesh.world.place(SERVER, PORT)
    assert place is not None
    assert place.attributes["destination.service.host"] == "web.default.svc.cluster.local"
    assert mesh.world.place(SERVER, PORT) is place
    mesh.place(simple("web", "v1", address="10.0.0.8"))
    moved = mesh.world.place(SERVER, PORT)
    assert moved is not None
    assert moved is not place
    assert mesh.world.place(SERVER, 1) is None
    assert mesh.world.place(WorkloadId("default", "nobody"), PORT) is None
    party = mesh.world.party(OTHER)
    assert party is not None
    assert (party.name, party.namespace) == ("api-v1", "shop")
    assert mesh.world.party(WorkloadId("default", "nobody")) is None


# -- Whose listeners tell Mixer --

INBOUND, INTERNAL, EXPLICIT = f"inbound_{PORT}", f"0.0.0.0_{PORT}", "virtualOutbound"
OUTBOUND = {(LISTENER, INTERNAL), (LISTENER, EXPLICIT)}
COMES = {(CLUSTER, MIXER_CLUSTER), (ENDPOINT, MIXER_CLUSTER)}
LINES = (
    mixer_config("stdio", "out", {}, "istio-system"),
    mixer_config("logentry", "line", {}, "istio-system"),
)


class Reported(Watched):
    def __init__(self) -> None:
        super().__init__()
        self.put(*LINES)

    def tells(self, workload: WorkloadId) -> set[str]:
        """Listeners with a logger for Mixer."""
        found = set[str]()
        for name in (INBOUND, INTERNAL, EXPLICIT):
            resource = self.source(workload).lookup(LISTENER, name)
            assert resource is not None
            if b"proa.reports|" in resource.body:
                found.add(name)
        has_cluster = self.source(workload).lookup(CLUSTER, MIXER_CLUSTER) is not None
        assert has_cluster == bool(found)
        return found


def report(match: str, namespace: str = "default", name: str = "tell") -> Config:
    return rule(name, "out.stdio", "line.logentry", match=match, namespace=namespace)


def test_both_ends_tell_for_a_rule_without_a_match() -> None:
    mesh = Reported()
    here = report("")
    found = mesh.put(here)
    assert found == {SERVER: {*COMES, (LISTENER, INBOUND), *OUTBOUND}}
    assert mesh.tells(SERVER) == {INBOUND, INTERNAL, EXPLICIT}
    assert mesh.tells(OTHER) == set()
    assert mesh.put(gone=[here]) == found
    assert mesh.tells(SERVER) == set()


def test_rules_for_one_end_leave_the_other_as_it_is() -> None:
    mesh = Reported()
    inbound = report('context.reporter.kind == "inbound"', "istio-system", "in")
    for workload, names in mesh.put(inbound).items():
        assert names == {*COMES, (LISTENER, INBOUND)}
        assert mesh.tells(workload) == {INBOUND}
    outbound = report('context.reporter.kind == "outbound"', "shop", "out")
    assert mesh.put(outbound) == {OTHER: OUTBOUND}
    assert mesh.tells(OTHER) == {INBOUND, INTERNAL, EXPLICIT}
    assert mesh.tells(SERVER) == {INBOUND}


def test_another_rule_that_reads_no_other_header_is_told_to_nobody() -> None:
    mesh = Reported()
    mesh.put(report("", "istio-system"))
    assert mesh.put(report('request.path == "/"', "istio-system", "more")) == {}
    read = report('request.headers["x-a"] == "b"', "istio-system", "header")
    assert {names for found in mesh.put(read).values() for names in found} == {
        (LISTENER, INBOUND),
        *OUTBOUND,
    }


def test_a_proxy_that_comes_later_has_it_at_once() -> None:
    mesh = Reported()
    mesh.put(report(""))
    mesh.place(simple("late", "v1"))
    assert mesh.tells(WorkloadId("default", "late-v1")) == {INBOUND, INTERNAL, EXPLICIT}
