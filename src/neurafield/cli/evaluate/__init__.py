"""`neurafield evaluate`: measure a field or a mesh against a reference."""
