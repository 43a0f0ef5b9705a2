"""Who may vouch for somebody who has no certificate yet: one folder per kind of token."""
