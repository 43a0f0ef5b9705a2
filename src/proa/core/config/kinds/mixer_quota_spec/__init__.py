"""QuotaSpec and QuotaSpecBinding: their schemas and the rules of their meaning."""
