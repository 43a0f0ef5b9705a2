"""EnvoyFilter: its schema, the rules of its meaning, and Envoy's own messages as JSON."""
