"""Keys in a Secret of Kubernetes: for a control plane that runs there and has no disk worth its keys."""

from proa.adapters.key_stores.kubernetes.access import SERVICE_ACCOUNT, SecretAccess
from proa.adapters.key_stores.kubernetes.store import KubernetesKeyStore

__all__ = ["SERVICE_ACCOUNT", "KubernetesKeyStore", "SecretAccess"]
