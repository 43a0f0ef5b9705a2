"""otlp: logs, metrics and spans for collectors of OpenTelemetry, in batches, by gRPC or HTTP."""
