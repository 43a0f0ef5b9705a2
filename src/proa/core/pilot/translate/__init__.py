"""From intents to Envoy's resources.

Each builder takes one frozen intent, which is its whole argument and therefore its cache key, and gives one
Resource. No builder sees a view, a snapshot or another builder's output.
"""
