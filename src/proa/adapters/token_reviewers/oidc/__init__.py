"""Tokens of an OpenID Connect issuer, checked here with its published keys."""

from proa.adapters.token_reviewers.oidc.reviewer import OidcIssuer, OidcReviewer

__all__ = ["OidcIssuer", "OidcReviewer"]
