"""Service account tokens, reviewed by the Kubernetes API server that issued them."""

from proa.adapters.token_reviewers.kubernetes.reviewer import KubernetesReviewer

__all__ = ["KubernetesReviewer"]
