"""One plot a file; report/sweep/library.py finds them here."""
