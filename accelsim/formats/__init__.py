"""Number formats: records with ranges and widths."""

from accelsim.formats.integer import FORMAT_INDEX, FORMAT_NAMES, FORMATS, Format, get

__all__ = ["FORMATS", "FORMAT_INDEX", "FORMAT_NAMES", "Format", "get"]
