"""Messages and fields of security.istio.io, telemetry.istio.io, extensions.istio.io and what they share.

`api` says how they are written."""

from typing import Final

MESSAGES: Final = """
PeerAuthentication: selector=type.WorkloadSelector mtls=PeerAuthentication.MutualTLS
    portLevelMtls=PeerAuthentication.MutualTLS
PeerAuthentication.MutualTLS: mode
RequestAuthentication: selector=type.WorkloadSelector targetRef=PolicyTargetReference
    targetRefs=PolicyTargetReference jwtRules=JWTRule
JWTRule: issuer audiences jwksUri jwks fromHeaders=JWTHeader fromParams outputPayloadToHeader fromCookies
    forwardOriginalToken outputClaimToHeaders=ClaimToHeader timeout spaceDelimitedClaims presence
JWTHeader: name prefix
ClaimToHeader: header claim
AuthorizationPolicy: selector=type.WorkloadSelector targetRef=PolicyTargetReference
    targetRefs=PolicyTargetReference rules=Rule action provider=AuthorizationPolicy.ExtensionProvider
AuthorizationPolicy.ExtensionProvider: name
Rule: from=Rule.From to=Rule.To when=Condition
Rule.From: source=Source
Rule.To: operation=Operation
Source: principals notPrincipals requestPrincipals notRequestPrincipals namespaces notNamespaces
    serviceAccounts notServiceAccounts ipBlocks notIpBlocks remoteIpBlocks notRemoteIpBlocks trustDomains
    notTrustDomains
Operation: hosts notHosts ports notPorts methods notMethods paths notPaths
Condition: key values notValues
Telemetry: selector=type.WorkloadSelector targetRef=PolicyTargetReference targetRefs=PolicyTargetReference
    tracing=Tracing metrics=Metrics accessLogging=AccessLogging
Tracing: match=Tracing.TracingSelector providers=ProviderRef randomSamplingPercentage disableSpanReporting
    customTags=Tracing.CustomTag useRequestIdForTraceSampling enableIstioTags disableContextPropagation
Tracing.TracingSelector: mode
Tracing.CustomTag: literal=Tracing.Literal environment=Tracing.Environment header=Tracing.RequestHeader
    formatter=Tracing.Formatter
Tracing.Literal: value
Tracing.Environment: name defaultValue
Tracing.RequestHeader: name defaultValue
Tracing.Formatter: value
ProviderRef: name
Metrics: providers=ProviderRef overrides=MetricsOverrides reportingInterval
MetricSelector: metric customMetric mode
MetricsOverrides: match=MetricSelector disabled tagOverrides=MetricsOverrides.TagOverride
MetricsOverrides.TagOverride: operation value
AccessLogging: match=AccessLogging.LogSelector providers=ProviderRef disabled filter=AccessLogging.Filter
AccessLogging.LogSelector: mode
AccessLogging.Filter: expression
WasmPlugin: selector=type.WorkloadSelector targetRef=PolicyTargetReference targetRefs=PolicyTargetReference
    url sha256 imagePullPolicy imagePullSecret verificationKey pluginConfig pluginName phase priority
    failStrategy vmConfig=VmConfig match=WasmPlugin.TrafficSelector type
WasmPlugin.TrafficSelector: mode ports=PortSelector
VmConfig: env=EnvVar
EnvVar: name valueFrom value
TrafficExtension: selector=type.WorkloadSelector targetRefs=PolicyTargetReference phase priority
    match=TrafficSelector wasm=WasmConfig lua=LuaConfig
WasmConfig: url sha256 imagePullPolicy imagePullSecret verificationKey pluginConfig pluginName failStrategy
    vmConfig=VmConfig type
LuaConfig: inlineCode
TrafficSelector: mode ports=PortSelector
type.WorkloadSelector: matchLabels
PolicyTargetReference: group kind name namespace
"""
