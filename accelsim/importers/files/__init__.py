"""Importers: each kind of file in one file here."""
