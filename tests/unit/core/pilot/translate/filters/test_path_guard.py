from envoy.extensions.filters.http.rbac.v3.rbac_pb2 import RBAC
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)

from proa.core.model.paths import READ_TWICE
from proa.core.model.settings import Handling, PathNormalization
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.chain import Direction, http_chain
from proa.core.pilot.translate.filters.path_guard import PATH_GUARD, path_guard


def test_the_refusal_has_a_name_and_a_counter() -> None:
    config = unpack(path_guard().typed_config, RBAC)
    assert config is not None
    assert [*config.rules.policies] == [READ_TWICE]
    assert config.rules_stat_prefix == "proa_path_"


def test_it_is_first_where_paths_are_made_canonical() -> None:
    def first(direction: Direction, paths: PathNormalization) -> str:
        chain = http_chain(direction, "routes", [], handling=Handling(paths=paths))
        manager = unpack(chain.typed_config, HttpConnectionManager)
        assert manager is not None
        return manager.http_filters[0].name if manager.http_filters else ""

    assert all(first(each, "BASE") == PATH_GUARD for each in Direction)
    assert not any(first(each, "NONE") for each in Direction)
