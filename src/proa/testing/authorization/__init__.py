"""Where authorization is tried on a real Envoy: random policies and requests, and an Envoy that holds many sets."""
