"""B2 and B3: our pair of sidecars beside a hand-written minimal pair of the same Envoy."""
