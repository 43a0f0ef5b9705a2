"""Charges that nobody makes, in a world of two workloads."""

import asyncio

import pytest

from proa.adapters.policy.memquota.adapter import MemQuotaAdapter
from proa.control_plane.mixer.handlers import Handlers
from proa.control_plane.mixer.quotas import Quotas
from proa.control_plane.mixer.trying import CannotBeTried
from proa.control_plane.mixer.trying_quotas import try_quotas
from proa.core.config.config import Config
from proa.core.mixer.asked import Asked
from proa.core.model.names import WorkloadId
from proa.core.model.snapshot import Change
from proa.servers.admin.mixer import CheckTry, QuotasTried, QuotaTried
from proa.servers.mixer.rate_limits import Expense
from proa.testing.builders import Mesh, registration, simple
from proa.testing.mixer import all_run, mixer_config, rule

WEB, API = WorkloadId("default", "web-v1"), WorkloadId("shop", "api-v1")
IDLE = WorkloadId("default", "idle")


def objects(
    annotations: dict[str, str] | None = None, dimension: str = 'source.name | "nobody"'
) -> tuple[Config, ...]:
    limit = {"name": "visits.quota.default", "maxAmount": 3, "validDuration": "600s"}
    owed = {"rules": [{"quotas": [{"quota": "visits", "charge": 2}]}]}
    bound = {"quotaSpecs": [{"name": "s"}], "services": [{"name": "web"}]}
    return (
        mixer_config("quota", "visits", {"dimensions": {"who": dimension}}),
        mixer_config("memquota", "limits", {"quotas": [limit]}, annotations=annotations),
        rule("count", "limits.memquota", "visits.quota"),
        mixer_config("QuotaSpec", "s", owed),
        mixer_config("QuotaSpecBinding", "b", bound),
    )


def tried(wanted: CheckTry, *configs: Config, charged: int = 0) -> QuotasTried:
    mesh = Mesh(simple("web", "v1"), simple("shop/api", "v1"), registration("idle"), catalogue=all_run())
    mesh.world.fold_in([Change(configs=configs)])

    async def body() -> QuotasTried:
        async with Handlers({"memquota": MemQuotaAdapter()}) as handlers:
            await handlers.swap(mesh.world.mixer.plan)
            quotas = Quotas(mesh.world, handlers)
            for _ in range(charged):
                expense = Expense(server=WEB, port=9080, quotas=(), asked=Asked(headers={}), caller=API)
                await quotas.charge(expense)
            return await try_quotas(mesh.world, quotas, wanted, lambda: 1.5)

    return asyncio.run(body())


def test_what_is_left_is_told_of_the_caller_that_is_meant() -> None:
    (fresh,) = tried(CheckTry(server=WEB, caller=API), *objects()).quotas
    assert fresh == QuotaTried(quota="visits", charge=2, maximum=3, window_ms=600_000, left=3)
    found = tried(CheckTry(server=WEB, caller=API), *objects(), charged=1)
    (used,) = found.quotas
    assert (found.outcome, used.outcome, used.left) == ("refused", "refused", 1)
    assert used.wait_ms is not None
    assert 0 < used.wait_ms <= 600_000
    other = tried(CheckTry(server=WEB), *objects(), charged=1)
    assert (other.outcome, other.quotas[0].left) == ("granted", 3)


def test_what_only_tries_refuses_nobody() -> None:
    found = tried(CheckTry(server=WEB, caller=API), *objects({"proa.dev/dry-run": "true"}), charged=1)
    assert (found.outcome, found.quotas[0].outcome) == ("granted", "would-refuse")


def test_what_a_proxy_counts_only_that_proxy_knows() -> None:
    own = objects({"proa.dev/limit": "per-instance"}, '"all"')
    (found,) = tried(CheckTry(server=WEB, caller=API), *own, charged=1).quotas
    assert found == QuotaTried(quota="visits", charge=2, maximum=2, window_ms=600_000, by_proxy=True)


def test_where_nothing_is_owed_that_is_said() -> None:
    found = tried(CheckTry(server=API, caller=WEB), *objects())
    assert (found.outcome, found.quotas) == ("granted", ())
    assert found.remarks == ("this request would be charged nothing at shop/api-v1:9080",)


def test_a_server_that_takes_nothing_cannot_be_asked_about() -> None:
    with pytest.raises(ExceptionGroup) as raised:
        tried(CheckTry(server=IDLE), *objects())
    assert raised.value.subgroup(CannotBeTried)
