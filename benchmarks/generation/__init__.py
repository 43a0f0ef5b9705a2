"""B8: from what is known to the bytes of clusters, listeners and routes; see docs/benchmarks.md."""
