"""Messages and fields of networking.istio.io, by name. `api` says how they are written."""

from typing import Final

MESSAGES: Final = """
VirtualService: hosts gateways http=HTTPRoute tls=TLSRoute tcp=TCPRoute exportTo
Destination: host subset port=PortSelector
HTTPRoute: name match=HTTPMatchRequest route=HTTPRouteDestination redirect=HTTPRedirect
    directResponse=HTTPDirectResponse delegate=Delegate rewrite=HTTPRewrite timeout retries=HTTPRetry
    fault=HTTPFaultInjection mirror=Destination mirrors=HTTPMirrorPolicy mirrorPercent
    mirrorPercentage=Percent corsPolicy=CorsPolicy headers=Headers
Delegate: name namespace
Headers: request=Headers.HeaderOperations response=Headers.HeaderOperations
Headers.HeaderOperations: set add remove
TLSRoute: match=TLSMatchAttributes route=RouteDestination
TCPRoute: match=L4MatchAttributes route=RouteDestination
HTTPMatchRequest: name uri=StringMatch scheme=StringMatch method=StringMatch authority=StringMatch
    headers=StringMatch port sourceLabels gateways queryParams=StringMatch ignoreUriCase
    withoutHeaders=StringMatch sourceNamespace statPrefix
HTTPRouteDestination: destination=Destination weight headers=Headers
RouteDestination: destination=Destination weight
L4MatchAttributes: destinationSubnets port sourceSubnet sourceLabels gateways sourceNamespace
TLSMatchAttributes: sniHosts destinationSubnets port sourceLabels gateways sourceNamespace
HTTPRedirect: uri authority port derivePort scheme redirectCode prefixRewrite
HTTPDirectResponse: status body=HTTPBody
HTTPBody: string bytes
HTTPRewrite: uri authority uriRegexRewrite=RegexRewrite
RegexRewrite: match rewrite
StringMatch: exact prefix regex
HTTPRetry: attempts perTryTimeout retryOn retryRemoteLocalities retryIgnorePreviousHosts backoff
CorsPolicy: allowOrigin allowOrigins=StringMatch allowMethods allowHeaders exposeHeaders maxAge
    allowCredentials unmatchedPreflights
HTTPFaultInjection: delay=HTTPFaultInjection.Delay abort=HTTPFaultInjection.Abort
HTTPFaultInjection.Delay: percent fixedDelay exponentialDelay percentage=Percent
HTTPFaultInjection.Abort: httpStatus grpcStatus http2Error percentage=Percent
HTTPMirrorPolicy: destination=Destination percentage=Percent
PortSelector: number
Percent: value
DestinationRule: host trafficPolicy=TrafficPolicy subsets=Subset exportTo
    workloadSelector=type.WorkloadSelector
TrafficPolicy: loadBalancer=LoadBalancerSettings connectionPool=ConnectionPoolSettings
    outlierDetection=OutlierDetection tls=ClientTLSSettings portLevelSettings=TrafficPolicy.PortTrafficPolicy
    tunnel=TrafficPolicy.TunnelSettings proxyProtocol=TrafficPolicy.ProxyProtocol
    retryBudget=TrafficPolicy.RetryBudget
TrafficPolicy.PortTrafficPolicy: port=PortSelector loadBalancer=LoadBalancerSettings
    connectionPool=ConnectionPoolSettings outlierDetection=OutlierDetection tls=ClientTLSSettings
TrafficPolicy.TunnelSettings: protocol targetHost targetPort
TrafficPolicy.ProxyProtocol: version
TrafficPolicy.RetryBudget: percent minRetryConcurrency budgetInterval
Subset: name labels trafficPolicy=TrafficPolicy
LoadBalancerSettings: simple consistentHash=LoadBalancerSettings.ConsistentHashLB
    localityLbSetting=LocalityLoadBalancerSetting zoneAwareLbSetting=ZoneAwareLoadBalancerSetting
    warmupDurationSecs warmup=WarmupConfiguration backendUtilization
LoadBalancerSettings.ConsistentHashLB: httpHeaderName
    httpCookie=LoadBalancerSettings.ConsistentHashLB.HTTPCookie useSourceIp httpQueryParameterName
    ringHash=LoadBalancerSettings.ConsistentHashLB.RingHash
    maglev=LoadBalancerSettings.ConsistentHashLB.MagLev minimumRingSize
LoadBalancerSettings.ConsistentHashLB.RingHash: minimumRingSize
LoadBalancerSettings.ConsistentHashLB.MagLev: tableSize
LoadBalancerSettings.ConsistentHashLB.HTTPCookie: name path ttl
    attributes=LoadBalancerSettings.ConsistentHashLB.HTTPCookie.Attribute
LoadBalancerSettings.ConsistentHashLB.HTTPCookie.Attribute: name value
WarmupConfiguration: duration minimumPercent aggression
ConnectionPoolSettings: tcp=ConnectionPoolSettings.TCPSettings http=ConnectionPoolSettings.HTTPSettings
ConnectionPoolSettings.TCPSettings: maxConnections connectTimeout
    tcpKeepalive=ConnectionPoolSettings.TCPSettings.TcpKeepalive maxConnectionDuration idleTimeout
ConnectionPoolSettings.TCPSettings.TcpKeepalive: probes time interval
ConnectionPoolSettings.HTTPSettings: http1MaxPendingRequests http2MaxRequests maxRequestsPerConnection
    maxRetries idleTimeout h2UpgradePolicy useClientProtocol maxConcurrentStreams
    http2KeepAlive=ConnectionPoolSettings.HTTPSettings.ConnectionKeepalive
ConnectionPoolSettings.HTTPSettings.ConnectionKeepalive: interval timeout
OutlierDetection: consecutiveErrors splitExternalLocalOriginErrors consecutiveLocalOriginFailures
    consecutiveGatewayErrors consecutive5xxErrors interval baseEjectionTime maxEjectionPercent
    minHealthPercent outlierDetectionHttpErrorCodes
ClientTLSSettings: mode clientCertificate privateKey caCertificates credentialName subjectAltNames sni
    insecureSkipVerify caCrl
LocalityLoadBalancerSetting: distribute=LocalityLoadBalancerSetting.Distribute
    failover=LocalityLoadBalancerSetting.Failover failoverPriority enabled
LocalityLoadBalancerSetting.Distribute: from to
LocalityLoadBalancerSetting.Failover: from to
ZoneAwareLoadBalancerSetting: enabled failover=ZoneAwareLoadBalancerSetting.Failover failoverPriority
    minClusterSize
ZoneAwareLoadBalancerSetting.Failover: from to
Gateway: servers=Server selector
Server: port=Port bind hosts tls=ServerTLSSettings defaultEndpoint name
Port: number protocol name targetPort
ServerTLSSettings: httpsRedirect mode serverCertificate privateKey caCertificates caCrl credentialName
    credentialNames caCertCredentialName tlsCertificates=ServerTLSSettings.TLSCertificate subjectAltNames
    verifyCertificateSpki verifyCertificateHash minProtocolVersion maxProtocolVersion cipherSuites
    insecureSkipVerify ecdhCurves
ServerTLSSettings.TLSCertificate: serverCertificate privateKey caCertificates
ServiceEntry: hosts addresses ports=ServicePort location resolution endpoints=WorkloadEntry
    workloadSelector=WorkloadSelector exportTo subjectAltNames
ServicePort: number protocol name targetPort
Sidecar: workloadSelector=WorkloadSelector ingress=IstioIngressListener egress=IstioEgressListener
    inboundConnectionPool=ConnectionPoolSettings outboundTrafficPolicy=OutboundTrafficPolicy
IstioIngressListener: port=SidecarPort bind captureMode defaultEndpoint tls=ServerTLSSettings
    connectionPool=ConnectionPoolSettings
IstioEgressListener: port=SidecarPort bind captureMode hosts
WorkloadSelector: labels
OutboundTrafficPolicy: mode egressProxy=Destination
SidecarPort: number protocol name targetPort
WorkloadEntry: address ports labels network locality weight serviceAccount
WorkloadGroup: metadata=WorkloadGroup.ObjectMeta template=WorkloadEntry probe=ReadinessProbe
WorkloadGroup.ObjectMeta: labels annotations
ReadinessProbe: initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold
    httpGet=HTTPHealthCheckConfig tcpSocket=TCPHealthCheckConfig exec=ExecHealthCheckConfig
    grpc=GrpcHealthCheckConfig
HTTPHealthCheckConfig: path port host scheme httpHeaders=HTTPHeader
GrpcHealthCheckConfig: port service
HTTPHeader: name value
TCPHealthCheckConfig: host port
ExecHealthCheckConfig: command
ProxyConfig: selector=type.WorkloadSelector concurrency environmentVariables image=ProxyImage
ProxyImage: imageType
EnvoyFilter: workloadSelector=WorkloadSelector targetRefs=PolicyTargetReference
    configPatches=EnvoyFilter.EnvoyConfigObjectPatch priority
EnvoyFilter.ProxyMatch: proxyVersion metadata
EnvoyFilter.ClusterMatch: portNumber service subset name
EnvoyFilter.RouteConfigurationMatch: portNumber portName gateway
    vhost=EnvoyFilter.RouteConfigurationMatch.VirtualHostMatch name
EnvoyFilter.RouteConfigurationMatch.RouteMatch: name action
EnvoyFilter.RouteConfigurationMatch.VirtualHostMatch: name domainName
    route=EnvoyFilter.RouteConfigurationMatch.RouteMatch
EnvoyFilter.ListenerMatch: portNumber portName filterChain=EnvoyFilter.ListenerMatch.FilterChainMatch
    listenerFilter name
EnvoyFilter.ListenerMatch.FilterChainMatch: name sni transportProtocol applicationProtocols
    filter=EnvoyFilter.ListenerMatch.FilterMatch destinationPort transportSocket
EnvoyFilter.ListenerMatch.FilterMatch: name subFilter=EnvoyFilter.ListenerMatch.SubFilterMatch
EnvoyFilter.ListenerMatch.SubFilterMatch: name
EnvoyFilter.WaypointMatch: portNumber route=EnvoyFilter.WaypointMatch.RouteMatch
    filter=EnvoyFilter.WaypointMatch.FilterMatch
EnvoyFilter.WaypointMatch.RouteMatch: name
EnvoyFilter.WaypointMatch.FilterMatch: name subFilter=EnvoyFilter.WaypointMatch.FilterMatch.SubFilterMatch
EnvoyFilter.WaypointMatch.FilterMatch.SubFilterMatch: name
EnvoyFilter.Patch: operation value filterClass
EnvoyFilter.EnvoyConfigObjectMatch: context proxy=EnvoyFilter.ProxyMatch listener=EnvoyFilter.ListenerMatch
    routeConfiguration=EnvoyFilter.RouteConfigurationMatch cluster=EnvoyFilter.ClusterMatch
    waypoint=EnvoyFilter.WaypointMatch
EnvoyFilter.EnvoyConfigObjectPatch: applyTo match=EnvoyFilter.EnvoyConfigObjectMatch patch=EnvoyFilter.Patch
"""
