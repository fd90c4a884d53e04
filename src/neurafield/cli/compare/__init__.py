"""`neurafield compare`: fit several architectures of one size to a file."""
