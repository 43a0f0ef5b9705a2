"""What a WorkloadEntry says: the struct is the endpoint's, which a ServiceEntry writes inline too."""

from proa.core.config.endpoint import WorkloadEntry

__all__ = ["WorkloadEntry"]
