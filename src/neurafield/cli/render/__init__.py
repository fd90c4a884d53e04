"""`neurafield render`: write a field as a file."""
