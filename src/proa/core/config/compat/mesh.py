"""Messages and fields of Istio's mesh-wide settings, by name. `api` says how they are written."""

from typing import Final

MESSAGES: Final = """
MeshConfig: proxyListenPort proxyInboundListenPort proxyHttpPort connectTimeout hboneIdleTimeout
    protocolDetectionTimeout tcpKeepalive=ConnectionPoolSettings.TCPSettings.TcpKeepalive ingressClass
    ingressService ingressControllerMode ingressSelector enableTracing accessLogFile accessLogFormat
    accessLogEncoding enableEnvoyAccessLogService disableEnvoyListenerLog defaultConfig=ProxyConfig
    outboundTrafficPolicy=MeshConfig.OutboundTrafficPolicy
    inboundTrafficPolicy=MeshConfig.InboundTrafficPolicy configSources=ConfigSource enableAutoMtls trustDomain
    trustDomainAliases caCertificates=MeshConfig.CertificateData defaultServiceExportTo
    defaultVirtualServiceExportTo defaultDestinationRuleExportTo rootNamespace
    localityLbSetting=LocalityLoadBalancerSetting zoneAwareLbSetting=ZoneAwareLoadBalancerSetting
    dnsRefreshRate h2UpgradePolicy inboundClusterStatName outboundClusterStatName certificates=Certificate
    serviceSettings=MeshConfig.ServiceSettings serviceScopeConfigs=MeshConfig.ServiceScopeConfigs
    enablePrometheusMerge verifyCertificateAtClient ca=MeshConfig.CA
    extensionProviders=MeshConfig.ExtensionProvider defaultProviders=MeshConfig.DefaultProviders
    discoverySelectors=LabelSelector pathNormalization=MeshConfig.ProxyPathNormalization
    defaultHttpRetryPolicy=HTTPRetry meshMTLS=MeshConfig.TLSConfig tlsDefaults=MeshConfig.TLSConfig
    defaultTrafficPolicy=MeshConfig.DefaultTrafficPolicy serviceEntryVisibility=ServiceEntryVisibility
    defaultInboundHttpRetryPolicy=HTTPRetry
MeshConfig.OutboundTrafficPolicy: mode tls=ClientTLSSettings
MeshConfig.InboundTrafficPolicy: mode
MeshConfig.CertificateData: pem spiffeBundleUrl certSigners trustDomains
MeshConfig.ServiceSettings: settings=MeshConfig.ServiceSettings.Settings hosts
MeshConfig.ServiceSettings.Settings: clusterLocal
MeshConfig.ServiceScopeConfigs: namespaceSelector=LabelSelector servicesSelector=LabelSelector scope
MeshConfig.CA: address tlsSettings=ClientTLSSettings requestTimeout istiodSide
MeshConfig.ExtensionProvider: name
    envoyExtAuthzHttp=MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationHttpProvider
    envoyExtAuthzGrpc=MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationGrpcProvider
    zipkin=MeshConfig.ExtensionProvider.ZipkinTracingProvider
    lightstep=MeshConfig.ExtensionProvider.LightstepTracingProvider
    datadog=MeshConfig.ExtensionProvider.DatadogTracingProvider
    stackdriver=MeshConfig.ExtensionProvider.StackdriverProvider
    opencensus=MeshConfig.ExtensionProvider.OpenCensusAgentTracingProvider
    skywalking=MeshConfig.ExtensionProvider.SkyWalkingTracingProvider
    opentelemetry=MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider prometheus
    envoyFileAccessLog=MeshConfig.ExtensionProvider.EnvoyFileAccessLogProvider
    envoyHttpAls=MeshConfig.ExtensionProvider.EnvoyHttpGrpcV3LogProvider
    envoyTcpAls=MeshConfig.ExtensionProvider.EnvoyTcpGrpcV3LogProvider
    envoyOtelAls=MeshConfig.ExtensionProvider.EnvoyOpenTelemetryLogProvider
    sds=MeshConfig.ExtensionProvider.SDSProvider
MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationRequestBody: maxRequestBytes allowPartialMessage
    packAsBytes
MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationHttpProvider: service port timeout pathPrefix failOpen
    clearRouteCache statusOnError includeHeadersInCheck includeRequestHeadersInCheck
    includeAdditionalHeadersInCheck
    includeRequestBodyInCheck=MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationRequestBody
    headersToUpstreamOnAllow headersToDownstreamOnDeny headersToDownstreamOnAllow
MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationGrpcProvider: service port timeout failOpen
    clearRouteCache statusOnError
    includeRequestBodyInCheck=MeshConfig.ExtensionProvider.EnvoyExternalAuthorizationRequestBody
MeshConfig.ExtensionProvider.ZipkinTracingProvider: service port maxTagLength enable64bitTraceId path
    traceContextOption timeout headers=MeshConfig.ExtensionProvider.HttpHeader
MeshConfig.ExtensionProvider.LightstepTracingProvider: service port accessToken maxTagLength
MeshConfig.ExtensionProvider.DatadogTracingProvider: service port maxTagLength
MeshConfig.ExtensionProvider.SkyWalkingTracingProvider: service port accessToken
MeshConfig.ExtensionProvider.StackdriverProvider: debug maxNumberOfAttributes maxNumberOfAnnotations
    maxNumberOfMessageEvents maxTagLength logging=MeshConfig.ExtensionProvider.StackdriverProvider.Logging
MeshConfig.ExtensionProvider.StackdriverProvider.Logging: labels
MeshConfig.ExtensionProvider.OpenCensusAgentTracingProvider: service port context maxTagLength
MeshConfig.ExtensionProvider.EnvoyFileAccessLogProvider: path
    logFormat=MeshConfig.ExtensionProvider.EnvoyFileAccessLogProvider.LogFormat omitEmptyValues
MeshConfig.ExtensionProvider.EnvoyFileAccessLogProvider.LogFormat: text labels
MeshConfig.ExtensionProvider.EnvoyHttpGrpcV3LogProvider: service port logName filterStateObjectsToLog
    additionalRequestHeadersToLog additionalResponseHeadersToLog additionalResponseTrailersToLog
MeshConfig.ExtensionProvider.EnvoyTcpGrpcV3LogProvider: service port logName filterStateObjectsToLog
MeshConfig.ExtensionProvider.EnvoyOpenTelemetryLogProvider: service port logName
    logFormat=MeshConfig.ExtensionProvider.EnvoyOpenTelemetryLogProvider.LogFormat
MeshConfig.ExtensionProvider.EnvoyOpenTelemetryLogProvider.LogFormat: text labels
MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider: service port maxTagLength
    http=MeshConfig.ExtensionProvider.HttpService grpc=MeshConfig.ExtensionProvider.GrpcService
    resourceDetectors=MeshConfig.ExtensionProvider.ResourceDetectors serviceAttributeEnrichment
    dynatraceSampler=MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider.DynatraceSampler
MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider.DynatraceSampler: tenant clusterId
    rootSpansPerMinute
    httpService=MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider.DynatraceSampler.DynatraceApi
MeshConfig.ExtensionProvider.OpenTelemetryTracingProvider.DynatraceSampler.DynatraceApi: service port
    http=MeshConfig.ExtensionProvider.HttpService
MeshConfig.ExtensionProvider.SDSProvider: name service port
MeshConfig.ExtensionProvider.HttpService: path timeout headers=MeshConfig.ExtensionProvider.HttpHeader
MeshConfig.ExtensionProvider.HttpHeader: name value envName
MeshConfig.ExtensionProvider.ResourceDetectors: environment dynatrace
MeshConfig.ExtensionProvider.GrpcService: timeout initialMetadata=MeshConfig.ExtensionProvider.HttpHeader
MeshConfig.DefaultProviders: tracing metrics accessLogging
MeshConfig.ProxyPathNormalization: normalization
MeshConfig.TLSConfig: minProtocolVersion ecdhCurves cipherSuites
MeshConfig.DefaultTrafficPolicy: connectionPool=ConnectionPoolSettings outlierDetection=OutlierDetection
LabelSelector: matchLabels matchExpressions=LabelSelectorRequirement
LabelSelectorRequirement: key operator values
ServiceEntryVisibility: defaultVisibility applyToSidecars policies=ServiceEntryVisibility.Policy
ServiceEntryVisibility.Policy: visibility matchingRules=ServiceEntryVisibility.MatchRule
ServiceEntryVisibility.MatchRule: namespaceSelector=LabelSelector
ConfigSource: address tlsSettings=ClientTLSSettings subscribedResources
Certificate: secretName dnsNames
mesh.Tracing: zipkin=mesh.Tracing.Zipkin lightstep=mesh.Tracing.Lightstep datadog=mesh.Tracing.Datadog
    stackdriver=mesh.Tracing.Stackdriver openCensusAgent=mesh.Tracing.OpenCensusAgent
    customTags=mesh.Tracing.CustomTag maxPathTagLength sampling tlsSettings=ClientTLSSettings enableIstioTags
mesh.Tracing.Zipkin: address
mesh.Tracing.Lightstep: address accessToken
mesh.Tracing.Datadog: address
mesh.Tracing.Stackdriver: debug maxNumberOfAttributes maxNumberOfAnnotations maxNumberOfMessageEvents
mesh.Tracing.OpenCensusAgent: address context
mesh.Tracing.CustomTag: literal=mesh.Tracing.Literal environment=mesh.Tracing.Environment
    header=mesh.Tracing.RequestHeader
mesh.Tracing.Literal: value
mesh.Tracing.Environment: name defaultValue
mesh.Tracing.RequestHeader: name defaultValue
SDS: enabled k8sSaJwtPath
Topology: numTrustedProxies forwardClientCertDetails proxyProtocol
PrivateKeyProvider: cryptomb=PrivateKeyProvider.CryptoMb qat=PrivateKeyProvider.QAT
PrivateKeyProvider.CryptoMb: pollDelay fallback
PrivateKeyProvider.QAT: pollDelay fallback
mesh.ProxyConfig: configPath binaryPath serviceCluster tracingServiceName drainDuration discoveryAddress
    discoveryRefreshDelay zipkinAddress statsdUdpAddress envoyMetricsServiceAddress proxyAdminPort
    availabilityZone controlPlaneAuthPolicy customConfigFile statNameLength concurrency
    proxyBootstrapTemplatePath interceptionMode tracing=mesh.Tracing sds=SDS
    envoyAccessLogService=RemoteService envoyMetricsService=RemoteService proxyMetadata runtimeValues
    statusPort extraStatTags gatewayTopology=Topology terminationDrainDuration meshId
    readinessProbe=ReadinessProbe proxyStatsMatcher=mesh.ProxyConfig.ProxyStatsMatcher
    holdApplicationUntilProxyStarts caCertificatesPem image=ProxyImage privateKeyProvider=PrivateKeyProvider
    proxyHeaders=mesh.ProxyConfig.ProxyHeaders fileFlushInterval fileFlushMinSizeKb statsCompression
    connectionSettings=mesh.ProxyConfig.ConnectionSettings
mesh.ProxyConfig.ProxyStatsMatcher: inclusionPrefixes inclusionSuffixes inclusionRegexps
mesh.ProxyConfig.ProxyHeaders: forwardedClientCert
    setCurrentClientCertDetails=mesh.ProxyConfig.ProxyHeaders.SetCurrentClientCertDetails
    requestId=mesh.ProxyConfig.ProxyHeaders.RequestId server=mesh.ProxyConfig.ProxyHeaders.Server
    attemptCount=mesh.ProxyConfig.ProxyHeaders.AttemptCount
    envoyDebugHeaders=mesh.ProxyConfig.ProxyHeaders.EnvoyDebugHeaders
    metadataExchangeHeaders=mesh.ProxyConfig.ProxyHeaders.MetadataExchangeHeaders preserveHttp1HeaderCase
    xForwardedHost=mesh.ProxyConfig.ProxyHeaders.XForwardedHost
    xForwardedPort=mesh.ProxyConfig.ProxyHeaders.XForwardedPort
mesh.ProxyConfig.ProxyHeaders.Server: disabled value
mesh.ProxyConfig.ProxyHeaders.RequestId: disabled
mesh.ProxyConfig.ProxyHeaders.AttemptCount: disabled
mesh.ProxyConfig.ProxyHeaders.XForwardedHost: enabled
mesh.ProxyConfig.ProxyHeaders.XForwardedPort: enabled
mesh.ProxyConfig.ProxyHeaders.EnvoyDebugHeaders: disabled
mesh.ProxyConfig.ProxyHeaders.MetadataExchangeHeaders: mode
mesh.ProxyConfig.ProxyHeaders.SetCurrentClientCertDetails: subject cert chain dns uri
mesh.ProxyConfig.ConnectionSettings: profile listenerPerConnectionBufferLimitBytes
    clusterPerConnectionBufferLimitBytes httpIdleTimeout httpMaxConnectionDuration httpDrainTimeout
    httpRequestTimeout httpRequestHeadersTimeout httpStreamIdleTimeout httpMaxStreamDuration
    httpMaxConcurrentStreams http2InitialStreamWindowSize http2InitialConnectionWindowSize
    httpHeadersWithUnderscoresAction httpMergeSlashes httpPathWithEscapedSlashesAction listenerConnectionLimit
    globalDownstreamConnectionLimit
RemoteService: address tlsSettings=ClientTLSSettings
    tcpKeepalive=ConnectionPoolSettings.TCPSettings.TcpKeepalive
Network: endpoints=Network.NetworkEndpoints gateways=Network.IstioNetworkGateway
Network.NetworkEndpoints: fromCidr fromRegistry
Network.IstioNetworkGateway: registryServiceName address port locality
MeshNetworks: networks=Network
"""
