"""`neurafield fit`: fit a field to a file."""
