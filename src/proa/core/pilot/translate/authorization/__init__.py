"""Policies to Envoy: predicates, matcher trees, and the filters that hold them."""
