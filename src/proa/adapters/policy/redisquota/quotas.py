"""redisquota: the windows are in Redis, one for all who charge them. Each charge is one call of one script."""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from proa.adapters.policy.redisquota.connections import RedisPool
from proa.adapters.policy.redisquota.script import SHA1, SOURCE
from proa.adapters.policy.redisquota.wire import Answer, RedisError
from proa.core.mixer.quota.limits import Charge, Chosen, Grant, cell_of_limit, choose
from proa.core.mixer.quota.shared import SharedLimit, grant_of
from proa.ports.failures import HandlerPermanent

_SERVERS_OWN_TIME: Final = -1


class RedisQuotas:
    """A port's Quotas. The pool is the caller's, who closes it. `clock` (milliseconds) is for tests."""

    def __init__(
        self, limits: Iterable[SharedLimit], pool: RedisPool, *, clock: Callable[[], int] | None = None
    ) -> None:
        self._limits: dict[str, SharedLimit] = {}
        for limit in limits:
            self._limits.setdefault(limit.limit.quota, limit)
        self._pool, self._clock = pool, clock

    async def charge(self, charge: Charge) -> Grant:
        shared = self._limits.get(charge.quota)
        if shared is None:
            raise HandlerPermanent(f"nothing limits {charge.quota}")
        if charge.amount < 0:
            return Grant(amount=0, valid_ms=0)
        chosen = choose(shared.limit, charge.dimensions)
        words = self._words(shared, chosen, charge)
        answer = await self._pool.ask(("EVALSHA", SHA1, *words))
        if isinstance(answer, RedisError):
            answer = await self._pool.ask(("EVAL", SOURCE, *words))
        return _grant(answer, charge, chosen)

    def _words(self, shared: SharedLimit, chosen: Chosen, charge: Charge) -> Sequence[str | int]:
        stem = f"proa.quota:{{{cell_of_limit(shared.limit, chosen)}}}"
        state = "fixed" if shared.algorithm == "FIXED_WINDOW" else "rolling"
        return (
            3,
            f"{stem}:{state}",
            f"{stem}:buckets",
            f"{stem}:id:{charge.deduplication_id}",
            shared.algorithm,
            chosen.max_amount,
            shared.limit.window_ms,
            shared.bucket_ms,
            charge.amount,
            int(charge.best_effort),
            int(bool(charge.deduplication_id)),
            _SERVERS_OWN_TIME if self._clock is None else self._clock(),
        )


def _grant(answer: Answer, charge: Charge, chosen: Chosen) -> Grant:
    match answer:
        case [int(amount), int(valid_ms), int(used)]:
            return grant_of(charge, chosen, amount, valid_ms, used)
        case [int(amount), int(valid_ms)]:
            return Grant(amount=amount, valid_ms=valid_ms)
        case _:
            raise HandlerPermanent(f"Redis answers {answer!r} where a grant is due")
