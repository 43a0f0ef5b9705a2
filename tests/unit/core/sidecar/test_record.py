"""What is written down of a workload, and what becomes of it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from proa.core.sidecar.local import AppPort, LocalUpstream
from proa.core.sidecar.record import (
    BadRecord,
    EnvoyMark,
    HeirMark,
    ProcessMark,
    Record,
    Seen,
    Sight,
    Stage,
    decode_record,
    encode_record,
    fate_of,
    stage_of,
)
from proa.core.sidecar.session import GatewayPort
from proa.core.sidecar.spec import HealthCheck, WorkloadSpec, parse_port, parse_upstream

RECORD = Record(
    boot="b-1",
    spec=WorkloadSpec(
        name="reviews",
        labels=Map({"app": "reviews", "version": "v1"}),
        ports=(parse_port("9080:auto/http", "reviews"),),
        upstreams=(parse_upstream("redis:6379"),),
        health=(HealthCheck(kind="exec", command=("true",)),),
    ),
    address="10.0.0.6",
    ports=(AppPort(service="reviews", service_port=9080, sidecar_port=20001, app_port=20002),),
    upstreams=(LocalUpstream(host="redis", port=6379, local_port=20003),),
    outbound_port=20004,
    gateway_ports=(GatewayPort(server_port=80, bound_port=20080),),
    health=("HEALTHY",),
    owner=ProcessMark(pid=10, started=100),
    app=ProcessMark(pid=11, started=110),
    envoy=EnvoyMark(process=ProcessMark(pid=12, started=120), epoch=0, base_id=7, build="d"),
    is_placed=True,
)
SEEN = Seen(boot="b-1", address="10.0.0.6", owner_lives=True, envoy="serves")


HEIR = HeirMark(epoch=1, base_id=7, build="e")
REPLACING = msgspec.structs.replace(RECORD, heir=HEIR, elder=ProcessMark(pid=9, started=90))


@pytest.mark.parametrize("record", [RECORD, REPLACING])
def test_what_is_written_is_read(record: Record) -> None:
    assert decode_record(encode_record(record)) == record


def test_an_heir_becomes_the_envoy_once_it_is_known() -> None:
    assert HEIR.promoted() is None
    mark = ProcessMark(pid=13, started=130)
    assert msgspec.structs.replace(HEIR, process=mark).promoted() == EnvoyMark(
        process=mark, epoch=1, base_id=7, build="e"
    )


@pytest.mark.parametrize(
    ("envoy", "heir", "elder_lives", "stage"),
    [
        ("serves", "gone", False, "ready"),
        ("serves", "gone", True, "parting"),
        ("serves", "lives", False, "replacing"),
        ("listens", "lives", False, "replacing"),
        ("listens", "listens", False, "replacing"),
        ("listens", "gone", False, "holding"),
        ("lives", "serves", False, "promoted"),
        ("gone", "serves", False, "promoted"),
        ("lives", "lives", False, None),
        ("gone", "lives", False, None),
        ("gone", "gone", True, None),
    ],
)
def test_a_hot_restart_is_found_where_it_stands(
    envoy: Sight, heir: Sight, elder_lives: bool, stage: Stage | None
) -> None:
    seen = msgspec.structs.replace(SEEN, envoy=envoy, heir=heir, elder_lives=elder_lives)
    assert stage_of(REPLACING, seen) == stage
    assert fate_of(REPLACING, seen) == ("restart" if stage is None else "adopt")


def test_an_admin_interface_that_is_gone_without_an_heir_is_no_service() -> None:
    assert stage_of(RECORD, msgspec.structs.replace(SEEN, envoy="listens")) is None


@given(st.permutations([("b", "1"), ("a", "2"), ("c", "3")]))
def test_equal_records_have_equal_bytes(labels: list[tuple[str, str]]) -> None:
    spec = msgspec.structs.replace(RECORD.spec, labels=Map(labels))
    sorted_spec = msgspec.structs.replace(RECORD.spec, labels=Map(sorted(labels)))
    written = encode_record(msgspec.structs.replace(RECORD, spec=spec))
    assert written == encode_record(msgspec.structs.replace(RECORD, spec=sorted_spec))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"format": 1}', "cannot be read"),
        (b'{"format": 2, "record": {"of": "tomorrow"}}', "format 2, this agent reads 1"),
        (encode_record(RECORD)[:-20], "cannot be read"),
    ],
)
def test_what_is_no_record_is_not_believed(data: bytes, why: str) -> None:
    with pytest.raises(BadRecord, match=why):
        decode_record(data)


@given(st.binary(max_size=60))
def test_no_bytes_do_worse_than_being_refused(data: bytes) -> None:
    with pytest.raises(BadRecord):
        decode_record(data)


def test_what_serves_and_is_owned_goes_on() -> None:
    assert fate_of(RECORD, SEEN) == "adopt"


def test_an_envoy_that_does_not_serve_is_started_again() -> None:
    assert fate_of(RECORD, msgspec.structs.replace(SEEN, envoy="gone")) == "restart"


def test_without_an_owner_it_ends_and_gently_while_it_serves() -> None:
    assert fate_of(RECORD, msgspec.structs.replace(SEEN, owner_lives=False)) == "drain"
    assert fate_of(RECORD, msgspec.structs.replace(SEEN, owner_lives=False, envoy="gone")) == "forget"


@pytest.mark.parametrize("other", [{"boot": "b-2"}, {"address": "10.0.0.7"}])
def test_in_another_boot_or_at_another_address_nothing_goes_on(other: dict[str, str]) -> None:
    assert fate_of(RECORD, msgspec.structs.replace(SEEN, **other)) == "forget"


def test_what_was_never_placed_is_asked_for_again_by_its_owner() -> None:
    assert fate_of(msgspec.structs.replace(RECORD, is_placed=False), SEEN) == "forget"


def test_a_workload_without_a_sidecar_hangs_on_its_owner_alone() -> None:
    record = msgspec.structs.replace(RECORD, spec=WorkloadSpec(name="client", kind="proxyless"), envoy=None)
    alone = msgspec.structs.replace(SEEN, envoy="gone")
    assert fate_of(record, alone) == "adopt"
    assert fate_of(record, msgspec.structs.replace(alone, owner_lives=False)) == "forget"
