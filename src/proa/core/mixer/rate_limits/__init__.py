"""Quotas in the words of Envoy's rate limit service: what a proxy tells of a request, and what it is answered.

`parts` says which facts of a request the charges of a port need, `descriptors` writes them into the proxy's filter,
`reading` makes a request of what came back, `answers` is the answer with its headers.
"""
