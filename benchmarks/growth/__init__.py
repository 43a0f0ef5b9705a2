"""B16: the shape in which costs grow with services, proxies and endpoints; see docs/benchmarks.md."""
