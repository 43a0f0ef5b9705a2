"""HTTPAPISpec and HTTPAPISpecBinding: their schemas and the rules of their meaning."""
