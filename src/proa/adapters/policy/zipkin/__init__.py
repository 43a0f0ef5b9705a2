"""zipkin: trace spans, posted in batches as Zipkin's JSON."""
