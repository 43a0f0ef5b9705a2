"""What stands in every bootstrap because nothing can add it later."""

import msgspec
from envoy.config.core.v3.config_source_pb2 import ApiConfigSource
from google.protobuf.json_format import MessageToDict, Parse
from immutables import Map

from proa.core.model.names import WorkloadId
from proa.core.sidecar.bootstrap import (
    EPOCH_FLAG,
    Descent,
    SidecarProcess,
    bootstrap_json,
    build_bootstrap,
    build_node,
    command_line,
    node_id,
)

PROCESS = SidecarProcess(
    id=WorkloadId("default", "reviews-v1"),
    kind="sidecar",
    account="reviews",
    labels=Map({"app": "reviews"}),
    locality="eu/a/rack1",
    xds_socket="/run/x.sock",
    admin_socket="/run/a.sock",
    binary="/bin/envoy",
    bootstrap_file="/run/b.json",
)


def test_admin_is_for_the_owner_alone() -> None:
    admin = build_bootstrap(PROCESS).admin.address.pipe
    assert (admin.path, admin.mode) == ("/run/a.sock", 0o600)


def test_everything_else_comes_by_delta_ads_over_the_workloads_socket() -> None:
    bootstrap = build_bootstrap(PROCESS)
    ads = bootstrap.dynamic_resources.ads_config
    assert ads.api_type == ApiConfigSource.ApiType.DELTA_GRPC
    grpc = ads.grpc_services[0].envoy_grpc
    (cluster,) = bootstrap.static_resources.clusters
    assert grpc.cluster_name == cluster.name
    endpoint = cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint
    assert endpoint.address.pipe.path == "/run/x.sock"
    assert grpc.retry_policy.retry_back_off.max_interval.ToMilliseconds() <= 1_000


def test_an_envoy_is_not_live_before_it_has_heard_of_its_listeners() -> None:
    dynamic = build_bootstrap(PROCESS).dynamic_resources
    for source in (dynamic.cds_config, dynamic.lds_config):
        assert source.HasField("initial_fetch_timeout")
        assert source.initial_fetch_timeout.ToMilliseconds() == 0


def test_the_node_tells_who_it_is() -> None:
    node = build_node(PROCESS)
    assert node.id == "sidecar~default/reviews-v1"
    assert (node.locality.region, node.locality.zone, node.locality.sub_zone) == ("eu", "a", "rack1")
    assert MessageToDict(node.metadata)["LABELS"] == {"app": "reviews"}
    assert node_id(PROCESS.id, "gateway") == "router~default/reviews-v1"


def test_regexes_that_validation_accepts_are_not_refused() -> None:
    layer = build_bootstrap(PROCESS).layered_runtime.layers[0].static_layer
    assert MessageToDict(layer)["re2.max_program_size.error_level"] >= 10_000


def test_the_file_is_readable_json_of_the_same_message() -> None:
    text = bootstrap_json(PROCESS)
    bootstrap = build_bootstrap(PROCESS)
    assert Parse(text, type(bootstrap)()) == bootstrap
    assert text == bootstrap_json(PROCESS)


def test_the_command_line() -> None:
    argv = command_line(msgspec.structs.replace(PROCESS, concurrency=3))
    assert argv[0] == "/bin/envoy"
    assert "--use-dynamic-base-id" in argv
    assert argv[argv.index("--concurrency") + 1] == "3"
    assert "[default/reviews-v1]" in argv[argv.index("--log-format") + 1]


def test_the_command_line_of_an_heir() -> None:
    argv = command_line(PROCESS, Descent(base_id=7, epoch=2))
    assert argv[argv.index("--base-id") + 1] == "7"
    assert argv[argv.index(EPOCH_FLAG) + 1] == "2"
    assert "--use-dynamic-base-id" not in argv
    drain, shutdown = (argv[argv.index(each) + 1] for each in ("--drain-time-s", "--parent-shutdown-time-s"))
    assert int(shutdown) == PROCESS.parting_s > int(drain)
