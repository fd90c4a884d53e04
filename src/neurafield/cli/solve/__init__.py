"""`neurafield solve`: solve a problem with derivatives."""
