"""Where a Redis is: `host:port` as in 2018, or a URL with what else it takes. redisquota's validator and
adapter ask."""

from urllib.parse import unquote, urlsplit

import msgspec

from proa.core.config.tree import shorten

DEFAULT = "localhost:6379"
_PORT = 6379


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """`password` is a secret: never printed."""

    host: str
    port: int = _PORT
    user: str = ""
    password: str = ""
    database: int = 0
    tls: bool = False

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"RedisAddress({self})"


def parse_redis_address(text: str) -> RedisAddress:
    """ "" is the Redis of this host. Raises ValueError, its text telling a user what to write."""
    whole = text or DEFAULT
    parts = urlsplit(whole if "://" in whole else f"redis://{whole}")
    try:
        port = parts.port or _PORT
    except ValueError:
        raise ValueError("a port is a number from 1 to 65535; write it") from None
    if parts.scheme not in ("redis", "rediss"):
        raise ValueError(f'there is no scheme "{shorten(parts.scheme)}" here; write redis:// or rediss://')
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an address is host:port or redis://user:password@host:port/database; write one")
    database = parts.path.strip("/")
    if database and not (database.isascii() and database.isdecimal() and len(database) <= 4):
        raise ValueError(f'"{shorten(database)}" is no database; write a number behind the slash')
    return RedisAddress(
        host=parts.hostname,
        port=port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        database=int(database or 0),
        tls=parts.scheme == "rediss",
    )
