"""What makes two points the same point: digests of everything that their results depend on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from accelsim import __version__
from accelsim.store import Point, SweepSpec, canonical

#: parts of the package that no result depends on
BYSTANDERS = (
    "cli",
    "reports",
    "rtl",
    "store",
    "claims",
    "config",
    "shipped.py",
    "jit.py",
    "api.py",
    "job",
    "verbs.py",
    "loading.py",
    "traces",
)
#: parts of sweeps/ that results do depend on
EVALUATION = ("evaluate.py", "measures.py", "timed.py", "aged.py")


@dataclass(frozen=True, slots=True)
class Identity:
    """model: version and digest of the code that results depend on. settings: digest of what is measured
    beside cycles and joules. bases, works: digests by name."""

    model: str
    settings: str
    bases: dict[str, str]
    works: dict[str, str]

    def key(self, point: Point) -> str:
        """What identifies a point's result; no chip is built for it."""
        return point.key(self.model, self.bases[point.base], self.works[point.work], self.settings)


def identity(spec: SweepSpec) -> Identity:
    """The Identity of a sweep's points. Measures that cost nothing are always taken, so that only costly
    groups (writing, values) are part of the settings."""
    v = spec.values
    values: list[Any] | None = None
    if v is not None:
        values = [v.digest, v.images, list(v.ages), list(v.temperatures)]
        values += [v.job] if v.job else []
    whole = canonical(
        ["writing_joules" in spec.measures or "writing_seconds" in spec.measures, values]
    )
    settings = hashlib.sha256(whole.encode()).hexdigest()
    return Identity(
        model_version(),
        settings,
        {base.name: base.digest for base in spec.bases},
        {work.name: work.digest for work in spec.works},
    )


@lru_cache(maxsize=1)
def model_version() -> str:
    """Version of the package with a digest of the sources and tables that results depend on."""
    root = Path(__file__).parent.parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if path.suffix not in (".py", ".json") or relative.parts[0] in (*BYSTANDERS, "shipped"):
            continue
        if relative.parts[0] == "sweeps" and relative.name not in EVALUATION:
            continue
        total.update(str(relative).encode())
        total.update(path.read_bytes())
    return f"{__version__}+{total.hexdigest()[:12]}"
