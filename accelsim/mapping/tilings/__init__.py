"""Tilings of a MAC operator: which there are, what each takes by estimate, which is chosen."""
