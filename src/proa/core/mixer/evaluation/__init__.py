"""Expressions tried by hand: attributes, manifests and cases read from files for `proa mixer eval`."""
