"""Number formats: records, their codecs, and rounding."""

from accelsim.formats.base import Format
from accelsim.formats.block import Block
from accelsim.formats.codebook import Codebook
from accelsim.formats.fixed import Fixed
from accelsim.formats.integer import Integer
from accelsim.formats.library import FORMAT_INDEX, FORMAT_NAMES, FORMATS, get, integer
from accelsim.formats.minifloat import Minifloat
from accelsim.formats.rounding import OVERFLOWS, ROUNDINGS, Grid

__all__ = [
    "FORMATS",
    "FORMAT_INDEX",
    "FORMAT_NAMES",
    "OVERFLOWS",
    "ROUNDINGS",
    "Block",
    "Codebook",
    "Fixed",
    "Format",
    "Grid",
    "Integer",
    "Minifloat",
    "get",
    "integer",
]
