"""Kubernetes' Gateway API: read, checked, and derived to today's Istio kinds.

Translation knows one language. What users wrote stays what is stored; what it becomes is computed in groups (`derive`):
a Gateway with the routes bound to it, a service with the routes bound to it (GAMMA).
"""
