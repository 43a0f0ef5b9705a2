"""What of Istio's API Proa does, field by field: `proa compat` and docs/compat.md.

`networking`, `policies` and `mesh` hold the names that Istio has (facts), `support` lays the kinds table beside them,
`page` writes it down.
"""
