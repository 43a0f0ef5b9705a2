"""What a Sidecar's `hosts` take in, as a value: two lists that mean the same are equal.

`views` asks it of services and of rules, each by the namespace that owns them and their host.
"""

from collections.abc import Iterable

import msgspec

ANY = "*"
NONE = "~"

Named = frozenset[tuple[str, str]]
"""Pairs of a namespace (`*`: any) and a host, or the end of one."""


class Imports(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """`hosts` are taken by their full names, `endings` with all whose names end so; `without` and `without_endings`
    are taken out again."""

    hosts: Named = frozenset()
    endings: Named = frozenset()
    without: Named = frozenset()
    without_endings: Named = frozenset()

    def has(self, namespace: str, host: str) -> bool:
        """Whether a host is in, be it a name or a wildcard itself: then all that it covers must be."""
        return _covers(self.hosts, self.endings, namespace, host) and not self._is_out(namespace, host)

    def touches(self, namespace: str, pattern: str) -> bool:
        """Whether rules for `pattern` are in: those for any host that is taken, too."""
        if self._is_out(namespace, pattern):
            return False
        if _covers(self.hosts, self.endings, namespace, pattern):
            return True
        if not pattern.startswith("*"):
            return False
        named = (*self.hosts, *self.endings)
        return any(owner in (ANY, namespace) and host.endswith(pattern[1:]) for owner, host in named)

    def _is_out(self, namespace: str, host: str) -> bool:
        return _covers(self.without, self.without_endings, namespace, host)


def imports_of(written: Iterable[str], namespace: str) -> Imports | None:
    """The hosts of an egress list for workloads of `namespace`; None when it takes everything."""
    parts: dict[tuple[bool, bool], set[tuple[str, str]]] = {}
    for each in written:
        owner, _, host = each.lower().partition("/")
        if owner == NONE:
            continue
        out, owner = owner.startswith(NONE), owner.removeprefix(NONE)
        is_wild = host.startswith("*")
        named = (namespace if owner == "." else owner, host[1:] if is_wild else host)
        parts.setdefault((out, is_wild), set()).add(named)
    found = {key: frozenset(named) for key, named in parts.items()}
    nothing: Named = frozenset()
    endings = found.get((False, True), nothing)
    without, without_endings = found.get((True, False), nothing), found.get((True, True), nothing)
    if (ANY, "") in endings and not without and not without_endings:
        return None
    return Imports(
        hosts=found.get((False, False), nothing),
        endings=endings,
        without=without,
        without_endings=without_endings,
    )


def _covers(hosts: Named, endings: Named, namespace: str, host: str) -> bool:
    if (namespace, host) in hosts or (ANY, host) in hosts:
        return True
    return any(owner in (ANY, namespace) and host.endswith(ending) for owner, ending in endings)
