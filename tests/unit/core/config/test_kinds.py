import pytest

from proa.core.config import Document, Json, examine
from proa.core.config.fields import shape_of
from proa.core.config.kinds import KINDS, AnyKind, find_kind, is_not_yet
from proa.core.config.record import Record
from proa.core.config.yaml_reader import NO_MARKS


@pytest.mark.parametrize(
    "word",
    ["vs", "virtualservice", "virtualservices", "VirtualService", "VirtualServices.networking.istio.io"],
)
def test_every_name_of_a_kind(word: str) -> None:
    row = find_kind(word)
    assert row is not None
    assert row.kind == "VirtualService"


def test_other_words_name_no_kind() -> None:
    assert find_kind("pod") is None
    assert find_kind("vs.security.istio.io") is None
    assert find_kind("") is None


def test_names_are_unique() -> None:
    names = [name for row in KINDS.values() if row.object_kind == row.kind for name in row.names()]
    assert len(names) == len(set(names))


def test_of_two_gateways_istios_is_meant() -> None:
    istio, api = find_kind("gateway"), find_kind("gateways.gateway.networking.k8s.io")
    assert istio is not None
    assert api is not None
    assert (istio.group, api.group) == ("networking.istio.io", "gateway.networking.k8s.io")
    assert find_kind("gtw") is api
    assert api.object_kind == "Gateway.gateway.networking.k8s.io"


def test_kinds_to_come() -> None:
    assert is_not_yet("gateway.networking.k8s.io", "UDPRoute")
    assert is_not_yet("config.istio.io", "somebodys-adapter")
    assert not is_not_yet("networking.istio.io", "Siedcar")
    assert not any(is_not_yet(group, kind) for group, kind in KINDS)


def test_no_field_is_served_and_not_yet() -> None:
    def structs(struct: type[Record]) -> list[type[Record]]:
        return [struct, *(inner for one in struct.__subclasses__() for inner in structs(one))]

    for struct in structs(Record):
        if struct.__module__.startswith("proa."):
            assert not set(struct.NOT_YET) & set(shape_of(struct).fields)


@pytest.mark.parametrize("row", [row for row in KINDS.values() if not row.in_force], ids=lambda row: row.kind)
def test_what_nothing_acts_on_is_read_and_cannot_be_applied(row: AnyKind) -> None:
    value: dict[str, Json] = {
        "apiVersion": f"{row.group}/{row.versions[0]}",
        "kind": row.kind,
        "metadata": {"name": "a"},
        "spec": {"noSuchField": 1},
    }
    document = Document(file="f", line=1, value=value, marks=NO_MARKS)

    applied = {problem.code: problem for problem in examine(document).problems}
    checked = {problem.code: problem for problem in examine(document, only_in_force=False).problems}

    assert applied["kind-not-supported-yet"].severity == "error"
    assert checked["read-only-kind"].severity == "warning"
    assert "unknown-field" in applied
    assert "unknown-field" in checked
