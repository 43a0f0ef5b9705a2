"""Which shape the keys have, and how an older one becomes this one.

    schema                    {"version": N}
    log/<number>              one transaction of configuration, whole (config_store.py)
    tokens/<id>               a join token's record, with who used it last
    grants/<node>             what a node may place
    serials/<serial>          where in the audit a serial is
    issuances/<newest first>  the audit
    revocations/<key>         what is refused before its end
    leases/<node>             a node's last word
    token-keys/<digest>       the last good keys of end users' tokens of one source
    keys/<name>               a sealed private key with its chain
    members/<name>            a control plane that there is, or was lately
    present/<name>            one that is there now; under its etcd lease
    said/<name>               what it tells the others; under its etcd lease
    leader                    who leads; under its etcd lease
    parts/<key>/<nonce>/<n>   pieces of values too large for one request

A migration is never edited once released. Control planes of one mesh may be of two neighbouring versions for the time
of an upgrade: a migration must leave what the older one reads, or raise the version, which the older one then refuses.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from proa.adapters.stores.etcd.client import Etcd
from proa.adapters.stores.etcd.wire import Range
from proa.ports.failures import StorePermanent, StoreTemporary

KEY: Final = "schema"
TRIES: Final = 10
ANY: Final = Range(key="", end="\x7f", limit=1, keys_only=True)

Migration = Callable[[Etcd], Awaitable[None]]


class Schema(msgspec.Struct, frozen=True, kw_only=True):
    version: int


async def _begin(_etcd: Etcd) -> None:
    """Nothing is there yet, so nothing has to be changed."""


MIGRATIONS: Final[tuple[Migration, ...]] = (_begin,)
"""Each brings the keys from one version to the next. It may be run twice, also by two at once, with the same end."""


async def migrate(etcd: Etcd, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Brings the prefix to this program's version. Raises StorePermanent for a newer one, or what is not Proa's."""
    for _ in range(TRIES):
        there = (await etcd.find(ANY)).count  # first: somebody else may begin in between
        kept = (await etcd.find(Range(key=KEY))).values
        found = _read(etcd, kept[0].value) if kept else 0
        if found > len(migrations):
            raise StorePermanent(
                f"{etcd.label}{etcd.prefix} was written by a newer Proa: it has schema {found}, this program knows "
                f"up to {len(migrations)}. Run the newer version here too, or give this mesh another prefix"
            )
        if found == len(migrations):
            return
        if there and not kept:
            raise StorePermanent(
                f"{etcd.label} has keys below {etcd.prefix} that are not Proa's: give another prefix"
            )
        await migrations[found](etcd)
        value = msgspec.json.encode(Schema(version=found + 1))
        await etcd.settle(KEY, value, modified=kept[0].modified if kept else 0)
    raise StoreTemporary(f"{etcd.label}: others are changing the schema of {etcd.prefix}")


def _read(etcd: Etcd, value: bytes) -> int:
    try:
        return msgspec.json.decode(value, type=Schema).version
    except msgspec.DecodeError:
        raise StorePermanent(
            f"{etcd.label}{etcd.prefix}{KEY} is not Proa's: give this mesh another prefix"
        ) from None
