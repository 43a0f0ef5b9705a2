"""What an agent writes down of a workload, so that the next agent finds it: who owns it, where it listens, which
Envoy serves it. And what is to become of it then.

`proa.node.record_store` writes and reads the file, `proa.node.adoption` looks what is still there; this module decides
what stands in it and what follows. A process is named by pid and start time, and by the boot in which both hold.
"""

from typing import Final, Literal

import msgspec

from proa.core.model.maps import plain_map, typed_map
from proa.core.sidecar.local import AppPort, LocalUpstream
from proa.core.sidecar.session import GatewayPort, Health
from proa.core.sidecar.spec import WorkloadSpec

FORMAT: Final = 1


class BadRecord(Exception):
    """Bytes that are no record of this format; the text says why."""


class ProcessMark(msgspec.Struct, frozen=True, kw_only=True):
    """`started` is in clock ticks since boot (proc(5), field `starttime`)."""

    pid: int
    started: int


class EnvoyMark(msgspec.Struct, frozen=True, kw_only=True):
    """A running Envoy. `base_id` and `epoch` name it to a successor (hot restart); `base_id` is None until it has told.
    `build` is the digest of bootstrap and binary it was started from: with another one it serves by old settings."""

    process: ProcessMark
    epoch: int = 0
    base_id: int | None = None
    build: str = ""


class HeirMark(msgspec.Struct, frozen=True, kw_only=True):
    """An Envoy that is to replace a running one (hot restart). Written down before it is started: until `process` is
    known it is found by its epoch, which stands in its command line."""

    epoch: int
    base_id: int
    build: str
    process: ProcessMark | None = None

    def promoted(self) -> EnvoyMark | None:
        """The mark of the Envoy that it becomes; None before it has a process."""
        if self.process is None:
            return None
        return EnvoyMark(process=self.process, epoch=self.epoch, base_id=self.base_id, build=self.build)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """One workload. `address` is where its inbound ports are bound; `ports`, `upstreams` and `outbound_port` are its
    place, `health` that of its ports in order. `owner` holds it (a `proa run`), `app` is its program. `is_placed`: its
    owner was told that it may start; `is_draining`: it takes no new requests. `heir` is to replace `envoy`, or was
    lost on the way, `elder` was replaced by it and ends its open requests."""

    boot: str
    spec: WorkloadSpec
    address: str
    ports: tuple[AppPort, ...] = ()
    upstreams: tuple[LocalUpstream, ...] = ()
    outbound_port: int | None = None
    gateway_ports: tuple[GatewayPort, ...] = ()
    health: tuple[Health, ...] = ()
    owner: ProcessMark | None = None
    app: ProcessMark | None = None
    envoy: EnvoyMark | None = None
    heir: HeirMark | None = None
    elder: ProcessMark | None = None
    is_placed: bool = False
    is_draining: bool = False


Sight = Literal["gone", "lives", "listens", "serves"]
"""Of an Envoy that was recorded. `serves`: it answers at the workload's admin socket with listeners at the recorded
ports. `listens`: the socket is not its own (an heir has it, or had), it listens at these ports. `lives`: neither."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What a new agent finds."""

    boot: str
    address: str
    owner_lives: bool
    envoy: Sight = "gone"
    heir: Sight = "gone"
    elder_lives: bool = False


Stage = Literal["ready", "replacing", "holding", "parting", "promoted"]
"""In which a running sidecar is taken over; `promoted`: its heir serves already, and becomes the Envoy."""


def stage_of(record: Record, seen: Seen) -> Stage | None:
    """None: nothing of it serves. An heir takes the listeners last of all: while it does not serve the Envoy does."""
    if seen.heir == "serves":
        return "promoted"
    if seen.envoy not in ("serves", "listens"):
        return None
    if seen.heir != "gone":
        return "replacing"
    if seen.envoy == "serves":
        return "parting" if seen.elder_lives else "ready"
    return "holding" if record.heir is not None else None


Fate = Literal["adopt", "restart", "drain", "forget"]
"""`adopt`: goes on as it is. `restart`: the workload goes on, its Envoy is started again. `drain`: its owner is gone;
what still serves ends its open requests first. `forget`: nothing is left of it, or nothing that may go on; an Envoy
that still runs is ended."""


def fate_of(record: Record, seen: Seen) -> Fate:
    """A workload without an owner ends. At another address its ports are somebody else's, in another boot all its
    processes are gone; a workload whose owner was never told that it may start is asked for again by that owner."""
    is_ours = record.boot == seen.boot and record.address == seen.address and record.is_placed
    if not is_ours:
        return "forget"
    has_sidecar = record.spec.kind != "proxyless"
    serves = stage_of(record, seen) is not None
    if not seen.owner_lives:
        return "drain" if has_sidecar and serves else "forget"
    return "adopt" if serves or not has_sidecar else "restart"


class _File(msgspec.Struct, frozen=True, kw_only=True):
    format: int
    record: Record


class _Format(msgspec.Struct, frozen=True, kw_only=True):
    format: int


def encode_record(record: Record) -> bytes:
    """Equal records have equal bytes."""
    return _ENCODER.encode(_File(format=FORMAT, record=record)) + b"\n"


def decode_record(data: bytes) -> Record:
    """Raises BadRecord."""
    try:
        found = msgspec.json.decode(data, type=_Format).format
        if found != FORMAT:
            raise BadRecord(f"format {found}, this agent reads {FORMAT}")
        return _DECODER.decode(data).record
    except (msgspec.DecodeError, ValueError) as error:
        raise BadRecord(f"it cannot be read: {error}") from None


_ENCODER = msgspec.json.Encoder(enc_hook=plain_map)
_DECODER: msgspec.json.Decoder[_File] = msgspec.json.Decoder(_File, dec_hook=typed_map)
