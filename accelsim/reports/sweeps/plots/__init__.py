"""One plot a file; reports/sweeps/library.py finds them here."""
