"""What `test_gateway_api` applies: routes of the Gateway `door` and of services' callers."""

PORT, HTTPS, TLS, TCP, OPENED, ADDED = range(18480, 18486)
"""Of the Gateway's listeners; the last is added by a ListenerSet."""

RULES = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: door}}
spec:
  gatewayClassName: proa
  allowedListeners: {{namespaces: {{from: Same}}}}
  listeners:
  - {{name: web, port: {PORT}, protocol: HTTP, hostname: "*.example.com"}}
  - name: ended
    port: {HTTPS}
    protocol: HTTPS
    hostname: "*.example.com"
    tls: {{certificateRefs: [{{name: door}}]}}
  - {{name: passed, port: {TLS}, protocol: TLS, tls: {{mode: Passthrough}}}}
  - {{name: lines, port: {TCP}, protocol: TCP}}
  - {{name: opened, port: {OPENED}, protocol: TLS, tls: {{certificateRefs: [{{name: door}}]}}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: ended}}
spec:
  parentRefs: [{{name: door, sectionName: ended}}]
  hostnames: [a.example.com]
  rules: [{{backendRefs: [{{name: canary, port: 8080}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TLSRoute
metadata: {{name: passed}}
spec:
  parentRefs: [{{name: door, sectionName: passed}}]
  hostnames: [secure.example.com]
  rules: [{{backendRefs: [{{name: secure, port: 8443}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {{name: lines}}
spec:
  parentRefs: [{{name: door, sectionName: lines}}]
  rules: [{{backendRefs: [{{name: lines, port: 9000}}, {{name: nobody, port: 9000, weight: 0}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: wide}}
spec:
  parentRefs: [{{name: door, sectionName: web}}]
  hostnames: [shop.example.com]
  rules:
  - name: all
    filters:
    - type: ResponseHeaderModifier
      responseHeaderModifier: {{set: [{{name: x-route, value: wide 100%}}]}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /api}}, headers: [{{name: x-user, value: tester}}]}}]
    backendRefs: [{{name: canary, port: 8080}}]
  - matches: [{{path: {{value: /gone}}}}]
    backendRefs: [{{name: nobody, port: 8080}}]
  - matches: [{{path: {{value: /stolen}}}}]
    backendRefs: [{{name: shop, namespace: elsewhere, port: 8080}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: narrow}}
spec:
  parentRefs: [{{name: door}}]
  hostnames: [shop.example.com]
  rules:
  - matches: [{{path: {{value: /api}}}}]
    filters:
    - type: URLRewrite
      urlRewrite: {{hostname: told.example, path: {{type: ReplacePrefixMatch, replacePrefixMatch: /v2}}}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /old}}}}]
    filters:
    - type: RequestRedirect
      requestRedirect:
        scheme: https
        statusCode: 301
        path: {{type: ReplacePrefixMatch, replacePrefixMatch: /new}}
  - matches: [{{path: {{type: Exact, value: /pages}}}}]
    filters:
    - type: CORS
      cors: {{allowOrigins: ["https://*.shop.example"], allowMethods: [PUT], maxAge: 60}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{type: Exact, value: /slow}}}}]
    timeouts: {{request: 200ms}}
    backendRefs: [{{name: shop, port: 8080}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: callers}}
spec:
  parentRefs: [{{group: "", kind: Service, name: shop, port: 8080}}]
  rules:
  - backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /half}}}}]
    backendRefs:
    - {{name: shop, port: 8080, weight: 1}}
    - name: canary
      port: 8080
      weight: 1
      filters:
      - type: RequestHeaderModifier
        requestHeaderModifier: {{set: [{{name: x-share, value: canary}}]}}
  - matches: [{{path: {{value: /broken-half}}}}]
    backendRefs: [{{name: shop, port: 8080}}, {{name: nobody, port: 8080}}]
  - matches: [{{path: {{value: /nothing}}}}]
    backendRefs: [{{name: shop, port: 8080, weight: 0}}]
  - matches: [{{path: {{value: /copied}}}}]
    filters:
    - {{type: RequestMirror, requestMirror: {{backendRef: {{name: canary, port: 8080}}}}}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /reply}}}}]
    retry: {{codes: [503], attempts: 2, backoff: 5ms}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{value: /api}}, queryParams: [{{name: v, value: "2"}}]}}]
    backendRefs: [{{name: canary, port: 8080}}]
"""

MORE = f"""
apiVersion: gateway.networking.k8s.io/v1
kind: ListenerSet
metadata: {{name: more}}
spec:
  parentRef: {{name: door}}
  listeners:
  - {{name: added, port: {ADDED}, protocol: HTTP}}
  - {{name: taken, port: {PORT}, protocol: HTTP, hostname: "*.example.com"}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: added}}
spec:
  parentRefs: [{{kind: ListenerSet, name: more}}]
  rules: [{{backendRefs: [{{name: canary, port: 8080}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TLSRoute
metadata: {{name: opened}}
spec:
  parentRefs: [{{name: door, sectionName: opened}}]
  hostnames: [a.example.com]
  rules: [{{backendRefs: [{{name: lines, port: 9000}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {{name: opened}}
spec:
  parentRefs: [{{name: door, sectionName: opened}}]
  rules: [{{backendRefs: [{{name: others, port: 9000}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {{name: called-lines}}
spec:
  parentRefs:
  - {{group: "", kind: Service, name: others, sectionName: tcp-9000}}
  - {{group: "", kind: Service, name: secure, sectionName: tcp-9000}}
  rules: [{{backendRefs: [{{name: lines, port: 9000}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TLSRoute
metadata: {{name: called-tls}}
spec:
  parentRefs: [{{group: "", kind: Service, name: secure, port: 8443}}]
  hostnames: [secure.default.svc.cluster.local]
  rules: [{{backendRefs: [{{name: others, port: 9000}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {{name: calls}}
spec:
  parentRefs: [{{name: door, sectionName: web}}]
  hostnames: [grpc.example.com]
  rules:
  - matches: [{{method: {{service: proa.test.Greeter, method: Hello}}}}]
    backendRefs: [{{name: greeter, port: 50051}}]
  - matches: [{{method: {{method: Hello}}, headers: [{{name: x-user, value: tester}}]}}]
    backendRefs: [{{name: nobody, port: 50051}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: late-calls}}
spec:
  parentRefs: [{{name: door, sectionName: web}}]
  hostnames: [grpc.example.com]
  rules: [{{backendRefs: [{{name: shop, port: 8080}}]}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: seats}}
spec:
  parentRefs: [{{name: door, sectionName: web}}]
  hostnames: [seats.example.com]
  rules:
  - matches: [{{path: {{value: /cookie}}}}]
    sessionPersistence: {{sessionName: seat}}
    backendRefs: [{{name: seats, port: 8080}}]
  - matches: [{{path: {{value: /kept}}}}]
    sessionPersistence:
      sessionName: kept
      absoluteTimeout: 90s
      cookieConfig: {{lifetimeType: Permanent}}
    backendRefs: [{{name: seats, port: 8080}}]
  - matches: [{{path: {{value: /header}}}}]
    sessionPersistence: {{sessionName: X-Seat, type: Header}}
    backendRefs: [{{name: seats, port: 8080}}]
  - backendRefs: [{{name: seats, port: 8080}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: features}}
spec:
  parentRefs: [{{name: door, sectionName: web}}]
  hostnames: [more.example.com]
  rules:
  - matches: [{{path: {{value: /moved}}, method: POST}}]
    filters:
    - {{type: RequestRedirect, requestRedirect: {{hostname: new.example.com, port: 8443, statusCode: 307}}}}
  - matches: [{{path: {{value: /moved}}, queryParams: [{{name: for, value: ever}}]}}]
    filters: [{{type: RequestRedirect, requestRedirect: {{scheme: https, statusCode: 308}}}}]
  - matches: [{{path: {{value: /moved}}}}]
    filters:
    - type: RequestRedirect
      requestRedirect: {{statusCode: 303, path: {{type: ReplaceFullPath, replaceFullPath: /here}}}}
  - matches: [{{path: {{value: /copied-twice}}}}]
    filters:
    - {{type: RequestMirror, requestMirror: {{backendRef: {{name: canary, port: 8080}}, percent: 100}}}}
    - type: RequestMirror
      requestMirror: {{backendRef: {{name: seats, port: 8080}}, fraction: {{numerator: 3, denominator: 3}}}}
    - {{type: RequestMirror, requestMirror: {{backendRef: {{name: shop, port: 8080}}, percent: 0}}}}
    backendRefs: [{{name: shop, port: 8080}}]
  - matches: [{{path: {{type: Exact, value: /ws}}}}]
    backendRefs: [{{name: shop, port: 8080}}]
"""


def sealed(port: int) -> str:
    """A service outside the mesh that wants TLS, by several ports, and what callers are to think of it. Its server is
    at 127.0.0.1:`port`, and is a.example.com."""
    ports = ("fine", "odd", "public", "plain")
    places = ", ".join(f"{name}: {port}" for name in ports)
    numbered = ", ".join(
        f"{{number: {8440 + number}, name: {name}, protocol: HTTP}}" for number, name in enumerate(ports)
    )
    rules = "".join(
        f"""
  - matches: [{{path: {{value: /{name}}}}}]
    filters: [{{type: URLRewrite, urlRewrite: {{hostname: a.example.com}}}}]
    backendRefs: [{{name: sealed, port: {8440 + number}}}]"""
        for number, name in enumerate(ports)
    )
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: sealed}}
spec:
  hosts: [sealed.default.svc.cluster.local]
  ports: [{numbered}]
  resolution: STATIC
  endpoints: [{{address: 127.0.0.1, ports: {{{places}}}}}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: sealed}}
spec:
  parentRefs: [{{name: door, sectionName: web}}]
  hostnames: [sealed.example.com]
  rules:{rules}
---
{policy("fine", "hostname: a.example.com, caCertificateRefs: [{name: roots, kind: ConfigMap, group: ''}]")}
---
{
        policy(
            "later",
            "hostname: b.example.com, caCertificateRefs: [{name: roots, kind: ConfigMap, group: ''}]",
            "fine",
        )
    }
---
{policy("public", "hostname: a.example.com, wellKnownCACertificates: System")}
---
{
        policy(
            "odd",
            "hostname: a.example.com, caCertificateRefs: [{name: roots, kind: Secret, group: ''}],"
            " subjectAltNames: [{type: Hostname, hostname: b.example.com}]",
        )
    }
"""


def policy(name: str, validation: str, port: str = "") -> str:
    return f"""
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {{name: {name}}}
spec:
  targetRefs: [{{group: "", kind: Service, name: sealed, sectionName: {port or name}}}]
  validation: {{{validation}}}
"""
