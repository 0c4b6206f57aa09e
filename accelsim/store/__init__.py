"""What a sweep asks and what it has given: plain records on disk, read without running anything."""

from accelsim.store.record import Failure, Point, Record, canonical
from accelsim.store.spec import Axis, Base, Joint, SweepSpec, ValuesSpec, Work

__all__ = [
    "Axis",
    "Base",
    "Failure",
    "Joint",
    "Point",
    "Record",
    "SweepSpec",
    "ValuesSpec",
    "Work",
    "canonical",
]
