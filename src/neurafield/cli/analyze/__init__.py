"""`neurafield analyze`: see what architectures learn first, and why."""
