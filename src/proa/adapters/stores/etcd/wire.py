"""etcd's messages as its JSON gateway spells them: bytes in base64, 64-bit numbers as texts, zeros left out.

Pure: values in, JSON trees out and back. Keys here are whole keys; the client puts the mesh's prefix before them.
"""

from base64 import b64decode, b64encode
from typing import Any, Final

import msgspec

MAX_OPERATIONS: Final = 128
"""etcd's own bound on one transaction."""
MAX_REQUEST: Final = 1_400_000
"""Bytes of one transaction's keys and values; etcd's own bound is 1.5 MiB with what is around them."""

Tree = dict[str, Any]


class KeyValue(msgspec.Struct, frozen=True, kw_only=True):
    """`created` and `modified` are revisions of the whole etcd: what happened later has a higher one."""

    key: str
    value: bytes
    created: int
    modified: int


class Compare(msgspec.Struct, frozen=True, kw_only=True):
    """Holds when the key was last written at revision `modified` (0: is not there), or, if given, was made at
    `created`."""

    key: str
    modified: int | None = None
    created: int | None = None


class PutKey(msgspec.Struct, frozen=True, kw_only=True):
    key: str
    value: bytes
    lease: int = 0


class DeleteKey(msgspec.Struct, frozen=True, kw_only=True):
    key: str


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """All keys from `key` up to `end` (not included), or the one key. With `changed_since` only those written at that
    revision or later are told, though all are counted. `limit` 0 is no limit."""

    key: str
    end: str = ""
    limit: int = 0
    changed_since: int = 0
    keys_only: bool = False
    newest_key_first: bool = False


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """`count` is of all keys in the range; `revision` that of the whole etcd at this moment."""

    values: tuple[KeyValue, ...]
    count: int
    revision: int


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """`succeeded` says whether all comparisons held; `found` are the answers to the ranges that were asked for the
    other case; `deleted` counts keys."""

    succeeded: bool
    revision: int
    found: tuple[Found, ...] = ()
    deleted: int = 0


def end_of(prefix: str) -> str:
    """The first key behind all that begin so."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def under(prefix: str, **more: Any) -> Range:
    """Everything that begins with the prefix."""
    return Range(key=prefix, end=end_of(prefix), **more)


def _key(text: str) -> str:
    return b64encode(text.encode()).decode()


def range_tree(asked: Range) -> Tree:
    tree: Tree = {"key": _key(asked.key)}
    if asked.end:
        tree["range_end"] = _key(asked.end)
    if asked.limit:
        tree["limit"] = str(asked.limit)
    if asked.changed_since:
        tree["min_mod_revision"] = str(asked.changed_since)
    if asked.keys_only:
        tree["keys_only"] = True
    if asked.newest_key_first:
        tree |= {"sort_order": "DESCEND", "sort_target": "KEY"}
    return tree


def put_tree(put: PutKey) -> Tree:
    tree: Tree = {"key": _key(put.key), "value": b64encode(put.value).decode()}
    if put.lease:
        tree["lease"] = str(put.lease)
    return tree


def compare_tree(compare: Compare) -> Tree:
    tree: Tree = {"key": _key(compare.key), "result": "EQUAL"}
    if compare.created is not None:
        return tree | {"target": "CREATE", "create_revision": str(compare.created)}
    return tree | {"target": "MOD", "mod_revision": str(compare.modified or 0)}


def operation_tree(operation: PutKey | DeleteKey) -> Tree:
    match operation:
        case PutKey():
            return {"request_put": put_tree(operation)}
        case DeleteKey():
            return {"request_delete_range": {"key": _key(operation.key)}}


def transaction_tree(
    compares: tuple[Compare, ...], operations: tuple[PutKey | DeleteKey, ...], otherwise: tuple[Range, ...]
) -> Tree:
    return {
        "compare": [compare_tree(each) for each in compares],
        "success": [operation_tree(each) for each in operations],
        "failure": [{"request_range": range_tree(each)} for each in otherwise],
    }


def found_of(tree: Tree, revision: int | None = None) -> Found:
    return Found(
        values=tuple(
            KeyValue(
                key=b64decode(each["key"]).decode(),
                value=b64decode(each.get("value", "")),
                created=int(each.get("create_revision", 0)),
                modified=int(each.get("mod_revision", 0)),
            )
            for each in tree.get("kvs", ())
        ),
        count=int(tree.get("count", 0)),
        revision=revision_of(tree) if revision is None else revision,
    )


def committed_of(tree: Tree) -> Committed:
    revision = revision_of(tree)
    answers = tree.get("responses", ())
    return Committed(
        succeeded=bool(tree.get("succeeded", False)),
        revision=revision,
        found=tuple(
            found_of(each["response_range"], revision) for each in answers if "response_range" in each
        ),
        deleted=sum(int(each.get("response_delete_range", {}).get("deleted", 0)) for each in answers),
    )


def revision_of(tree: Tree) -> int:
    return int(tree.get("header", {}).get("revision", 0))


def event_keys(tree: Tree) -> tuple[str, ...]:
    """The keys a watch's message speaks of."""
    return tuple(b64decode(each["kv"]["key"]).decode() for each in tree.get("events", ()))
