"""What the structs of the kinds that are only read ask of their fields together, as recipes."""

from collections.abc import Mapping
from typing import Final

from proa.core.config import istio_service, plugins, selection
from proa.core.config.kinds.authorization_policy import schema as authorization
from proa.core.config.kinds.mixer_api_spec import schema as api_spec
from proa.core.config.kinds.mixer_attributes import schema as attributes
from proa.core.config.kinds.mixer_out_of_process import schema as outside
from proa.core.config.kinds.mixer_quota_spec import schema as quota_spec
from proa.core.config.kinds.mixer_rule import schema as mixer_rule
from proa.core.config.kinds.policy_2018 import schema as policy
from proa.core.config.kinds.rbac_2018 import schema as rbac
from proa.core.config.kinds.request_authentication import schema as request
from proa.core.config.kinds.telemetry import schema as telemetry
from proa.core.config.kinds.traffic_extension import schema as extension
from proa.core.config.kinds.wasm_plugin import schema as wasm
from proa.core.config.kinds.workload_group import schema as groups
from proa.core.config.mixer import own_parameters as own
from proa.core.config.mixer import parameters as adapters
from proa.core.config.mixer import templates
from proa.testing.strategies import vocabulary as words
from proa.testing.strategies.recipes import either
from proa.testing.strategies.shaped import Object, Recipe, Recipes, without
from proa.testing.strategies.vocabulary import Values, listed

# Of attributes that some manifest might declare, so that they may have whatever type a field wants.
_EXPRESSIONS: Final = either(
    'own.labels["app"] | own.name', 'own.value | "none"', "own.value", "own.size + 1"
)
_MATCHES: Final = either('request.headers["x-a"] == "b"', "true", "1 == 2", "own.flag", "")
_ADDRESS: Final = either("a.example:80", "[::1]:8125")
_LIST: Final = either("https://a.example/list")
_OF_ONE: Final = either([{"instanceName": "a.metric.default"}])
_SENDING: Final[Mapping[str, Values]] = {
    "flush_interval": either("1s"),
    "batch_size": either(1, 5000),
    "retry_for": either("5m"),
}
_PATTERNS: Final = either("a", "*", "a*", "*.example", "cluster.local/ns/default/sa/a", "/a")
_PATHS: Final = either("/a", "/a/*", "*/b", "*")
_HOSTS: Final = either("a.example", "*.example", "a.*", "*")
_METHODS: Final = either("GET", "PO*", "*")
_KEY: Final = '{"keys":[{"kty":"oct","k":"AAEC"}]}'
_TOKENS: Final = {"jwks": either(_KEY), "jwks_uri": words.FIELDS["jwks_uri"]}


def _fit_selection(spec: Object) -> Object:
    """One way to say for whom it is."""
    if "selector" in spec:
        return without(spec, ["targetRef", "targetRefs"])
    return without(spec, ["targetRefs"]) if "targetRef" in spec else spec


def _fit_policy(spec: Object) -> Object:
    """Mutual TLS is among the peers once."""
    peers = spec.get("peers")
    return {**spec, "peers": peers[:1]} if isinstance(peers, list) else spec


def _fit_plugin(spec: Object) -> Object:
    return _fit_selection(without(spec, ["vmConfig"]))


def _fit_tags(spec: Object) -> Object:
    """Labels have names that Prometheus takes."""
    tags = spec.get("tagOverrides")
    if not isinstance(tags, dict):
        return spec
    named = {f"tag_{number}": value for number, value in enumerate(tags.values())}
    return spec | {"tagOverrides": named}


_SELECTION: Final = Recipe(fit=_fit_selection)
_SOURCE: Final = {
    "url": either("oci://a.example/p:1", "a.example/p", "https://a.example/p.wasm", "file:///p.wasm"),
    "sha256": either("", "0a" * 32),
}
READ_ONLY: Final[Recipes] = {
    istio_service.IstioService: Recipe(
        values={"service": either(*words.FULL_NAMES, "*"), "name": either("a", "b")},
        one_of=(("name", "service"),),
    ),
    istio_service.NamedSpec: Recipe(values={"name": either("one", "two")}),
    selection.TargetRef: Recipe(
        values={"kind": either("Service"), "group": either("", "core"), "name": either("a", "b")},
        never=("namespace",),
    ),
    authorization.AuthorizationPolicy: Recipe(
        values={"action": either("ALLOW", "AUDIT")}, never=("provider",), fit=_fit_selection
    ),
    authorization.Source: Recipe(
        values={
            name: listed(words.subnet, 1)
            for name in ("ip_blocks", "not_ip_blocks", "remote_ip_blocks", "not_remote_ip_blocks")
        },
        texts=_PATTERNS,
        some=("principals", "ip_blocks"),
        never=("service_accounts", "not_service_accounts"),
    ),
    authorization.Operation: Recipe(
        values={name: listed(either("80", "9080"), 1) for name in ("ports", "not_ports")}
        | {name: listed(either("/a", "/a/*", "/{*}/b", "*"), 1) for name in ("paths", "not_paths")}
        | {name: listed(_HOSTS, 1) for name in ("hosts", "not_hosts")}
        | {name: listed(_METHODS, 1) for name in ("methods", "not_methods")},
        texts=_PATTERNS,
        some=("hosts", "paths"),
    ),
    authorization.Condition: Recipe(
        values={"key": either("request.headers[x-a]", "source.principal", "destination.port")},
        texts=either("80", "443"),
        some=("values", "not_values"),
    ),
    request.RequestAuthentication: _SELECTION,
    request.JwtRule: Recipe(values=_TOKENS, one_of=(("jwks", "jwks_uri"),), texts=either("x-a", "b")),
    request.JwtHeader: Recipe(texts=words.own_header),
    request.ClaimToHeader: Recipe(texts=words.own_header),
    telemetry.Telemetry: _SELECTION,
    telemetry.LogFilter: Recipe(
        values={"expression": either("response.code >= 400")}, always=("expression",)
    ),
    telemetry.MetricsOverride: Recipe(fit=_fit_tags),
    telemetry.CustomTag: Recipe(one_of=(("literal", "environment", "header", "formatter"),)),
    telemetry.TagOverride: Recipe(
        values={"operation": either("UPSERT"), "value": either("request.method", "'b'")}, always=("value",)
    ),
    telemetry.Formatter: Recipe(values={"value": either("%PROTOCOL%", "%REQ(X-A)%")}, always=("value",)),
    telemetry.RequestHeader: Recipe(texts=words.own_header),
    plugins.WasmSource: Recipe(values=_SOURCE, fit=lambda spec: without(spec, ["vmConfig"])),
    wasm.WasmPlugin: Recipe(values=_SOURCE, fit=_fit_plugin),
    extension.TrafficExtension: Recipe(one_of=(("wasm", "lua"),), fit=_fit_selection),
    extension.Lua: Recipe(
        values={"inline_code": either("function envoy_on_request(handle) end")}, always=("inline_code",)
    ),
    policy.Target: Recipe(values={"name": either("a", "b")}),
    policy.PolicyPort: Recipe(values={"name": either("http")}, one_of=(("number", "name"),)),
    policy.Peer: Recipe(always=("mtls",), never=("jwt",)),
    policy.MutualTls: Recipe(never=("allow_tls",)),
    policy.Origin: Recipe(always=("jwt",)),
    policy.Jwt: Recipe(
        values={"issuer": either("https://a.example", "b"), **_TOKENS},
        texts=words.own_header,
        never=("jwks_uri",),
    ),
    policy.Policy: Recipe(never=("targets", "origins", "principal_binding"), fit=_fit_policy),
    rbac.Constraint: Recipe(values={"key": either("destination.labels[a]", "request.headers[x-a]")}),
    rbac.AccessRule: Recipe(
        values={"services": listed(_HOSTS, 1), "paths": listed(_PATHS), "methods": listed(_METHODS)}
    ),
    rbac.Subject: Recipe(
        values={"properties": either({"source.namespace": "a"}, {"request.auth.claims[x]": "y"})},
        some=("user", "properties"),
        texts=either("a", "b"),
    ),
    rbac.RoleRef: Recipe(values={"kind": either("ServiceRole")}),
    rbac.RbacTarget: Recipe(
        values={"services": listed(either(*words.FULL_NAMES)), "namespaces": listed(words.namespace)}
    ),
    rbac.RbacConfig: Recipe(always=("inclusion", "exclusion")),
    mixer_rule.Rule: Recipe(values={"match": _MATCHES}),
    mixer_rule.Action: Recipe(texts=either("one.denier", "two.metric.shop")),
    attributes.AttributeManifest: Recipe(
        values={
            "attributes": either(
                {"a.b": {"valueType": "STRING"}}, {"c": {"valueType": "INT64", "description": "é"}}
            )
        }
    ),
    quota_spec.StringMatch: Recipe(one_of=(("exact", "prefix", "regex"),)),
    quota_spec.AttributeMatch: Recipe(always=("clause",), filled=("clause",)),
    quota_spec.Quota: Recipe(values={"charge": either(1, 2**63 - 1)}),
    api_spec.HttpApiSpec: Recipe(never=("attributes",)),
    api_spec.ApiPattern: Recipe(
        values={"http_method": either("GET", "*"), "uri_template": either("/a", "/{b}/*", "/a/**")},
        always=("http_method",),
        one_of=(("uri_template", "regex"),),
        never=("attributes",),
    ),
    api_spec.ApiKey: Recipe(one_of=(("query", "header", "cookie"),), texts=either("x-a")),
    outside.Handler: Recipe(
        values={"compiled_adapter": either("noop", "denier")},
        one_of=(("adapter", "compiled_adapter"),),
        texts=either("a", "b"),
        never=("params",),
    ),
    outside.Connection: Recipe(values={"address": either("a:1")}, always=("address",)),
    outside.TemplateInstance: Recipe(
        values={"compiled_template": either("quota", "metric")},
        one_of=(("template", "compiled_template"),),
        texts=either("a", "b"),
        never=("params",),
    ),
    outside.Adapter: Recipe(values={"config": either("", "AAEC")}),
    outside.Template: Recipe(values={"descriptor": either("AAEC")}),
    templates.Instance: Recipe(texts=_EXPRESSIONS),
    templates.Subject: Recipe(texts=_EXPRESSIONS),
    templates.Action: Recipe(texts=_EXPRESSIONS),
    adapters.Status: Recipe(values={"code": either(0, 7, 16)}),
    adapters.ListChecker: Recipe(
        values={"provider_url": _LIST, "caching_use_count": either(0, 9)},
        never=("ttl", "refresh_interval"),
    ),
    adapters.Bypass: Recipe(values={"backend_address": _ADDRESS}, always=("backend_address",)),
    adapters.Circonus: Recipe(
        values={"submission_url": _LIST, "submission_interval": either("1s")}, always=("submission_url",)
    ),
    adapters.CloudWatch: Recipe(values={"namespace": either("a")}, always=("namespace",), never=("logs",)),
    adapters.CloudWatchMetric: Recipe(values={"unit": either("Count", "Bytes/Second")}),
    adapters.Denier: Recipe(values={"valid_use_count": either(0, 5)}),
    adapters.Dogstatsd: Recipe(
        values={"address": _ADDRESS, "buffer_length": either(0, 9), "sample_rate": either(0, 0.5)}
    ),
    adapters.DogstatsdMetric: Recipe(values={"type": either("COUNTER")}, always=("type",)),
    adapters.Fluentd: Recipe(values={"address": _ADDRESS}),
    adapters.KubernetesEnv: Recipe(values={"cache_refresh_duration": either("5m")}),
    adapters.MemQuota: Recipe(
        values={"quotas": either([{"name": "a", "maxAmount": 1, "validDuration": "1s"}])},
        never=("min_deduplication_duration",),
    ),
    own.Influxdb: Recipe(
        values={"url": _LIST, "database": either("mesh"), "metrics": _OF_ONE, **_SENDING},
        always=("url", "database"),
        never=("bucket", "org", "token", "user", "password"),
    ),
    own.Otlp: Recipe(
        values={"endpoint": _LIST, "metrics": _OF_ONE, "logs": _OF_ONE, **_SENDING},
        always=("endpoint",),
        never=("headers", "sample_probability"),
    ),
    own.Zipkin: Recipe(
        values={"url": _LIST, "sample_probability": either(0.5, 1), **_SENDING},
        always=("url",),
        never=("headers",),
    ),
    adapters.Opa: Recipe(
        values={"policy": either(["package a"]), "check_method": either("data.a.allow")},
        always=("policy", "check_method"),
    ),
    adapters.Prometheus: Recipe(
        values={"metrics": either([{"instanceName": "a.metric.default", "kind": "COUNTER"}])}
    ),
    adapters.Rbac: Recipe(values={"config_store_url": either("k8s://", "fs:///a")}),
    adapters.RedisQuota: Recipe(
        values={
            "redis_server_url": either("", "redis:6379"),
            "connection_pool_size": either(0, 10),
            "quotas": either([{"name": "a", "maxAmount": 2, "validDuration": "5s"}]),
        }
    ),
    adapters.RuntimeConfig: Recipe(
        values={"check_result_expiration": either("60s")}, always=("check_result_expiration",)
    ),
    adapters.ServiceControl: Recipe(
        values={"service_configs": either([{"meshServiceName": "a", "googleServiceName": "b"}])},
        always=("runtime_config", "service_configs"),
    ),
    adapters.SignalFx: Recipe(
        values={
            "metrics": either([{"name": "a.metric.b", "type": "COUNTER"}]),
            "ingest_url": _LIST,
            "datapoint_interval": either("5s"),
        },
        texts=either("a"),
        always=("access_token", "metrics"),
    ),
    adapters.SolarWinds: Recipe(
        values={
            "appoptics_batch_size": either(0, 1000),
            "papertrail_url": either("logs0.papertrailapp.com:8080"),
        },
        never=("logs",),
    ),
    adapters.StackdriverLog: Recipe(values={"payload_template": either("{{.a}}")}),
    adapters.StackdriverTrace: Recipe(values={"sample_probability": either(0, 1)}),
    adapters.Statsd: Recipe(
        values={"address": _ADDRESS, "flush_bytes": either(0, 512), "sampling_rate": either(1)}
    ),
    adapters.StatsdMetric: Recipe(
        values={"type": either("COUNTER"), "name_template": either("a-{{.b}}")}, always=("type",)
    ),
    adapters.Stdio: Recipe(
        values={"log_stream": either("STDOUT", "STDERR")},
        never=(
            "output_path",
            "max_megabytes_before_rotation",
            "max_days_before_rotation",
            "max_rotated_files",
        ),
    ),
    adapters.Buckets: Recipe(always=("explicit_buckets",), never=("linear_buckets", "exponential_buckets")),
    adapters.ExplicitBuckets: Recipe(values={"bounds": either([1, 2.5])}, always=("bounds",)),
    adapters.RedisQuotaLimit: Recipe(
        values={
            "max_amount": either(1, 10),
            "valid_duration": either("10s"),
            "bucket_duration": either("1s"),
        },
        always=("max_amount", "valid_duration"),
    ),
    adapters.Stackdriver: Recipe(one_of=(("app_credentials", "api_key", "service_account_path", ""),)),
    groups.ReadinessProbe: Recipe(one_of=(("http_get", "tcp_socket", "exec", "grpc"),)),
    groups.HttpGet: Recipe(values={"scheme": either("", "HTTP", "https"), "path": either("/", "/a")}),
    groups.HttpHeader: Recipe(texts=words.own_header),
    groups.Exec: Recipe(values={"command": either(["true"], ["a", ""])}, always=("command",)),
}
