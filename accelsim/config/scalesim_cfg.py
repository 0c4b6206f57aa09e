"""SCALE-Sim's .cfg files: a chip, and every key that has no meaning here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accelsim.chip import Chip, Precision, Technology
from accelsim.config.yaml_source import LARGEST_FILE
from accelsim.errors import InputError, Problem
from accelsim.units.dma import Dma
from accelsim.units.dram import Dram
from accelsim.units.fold_array import FoldArray
from accelsim.units.mac_array import Accumulator, MacArray, Rate
from accelsim.units.sram import Sram
from accelsim.units.vector_unit import VectorUnit

DATAFLOWS = {"os": "output_stationary", "ws": "weight_stationary", "is": "input_stationary"}
#: key in lower case -> (field, lowest, highest)
NUMBERS = {
    "arrayheight": ("rows", 1, 65536),
    "arraywidth": ("columns", 1, 65536),
    "ifmapsramszkb": ("input_kib", 1, 1 << 22),
    "filtersramszkb": ("weight_kib", 1, 1 << 22),
    "ofmapsramszkb": ("output_kib", 1, 1 << 22),
}
SPELLED = {
    "arrayheight": "ArrayHeight",
    "arraywidth": "ArrayWidth",
    "ifmapsramszkb": "IfmapSramSzkB",
    "filtersramszkb": "FilterSramSzkB",
    "ofmapsramszkb": "OfmapSramSzkB",
}
CLOCK_HZ = 1_000_000_000
SMALLEST_BANK = 2048  # bytes: the smallest SRAM of the energy table
ASSUMED = (
    "clock 1 GHz, 22 nm, 0.8 V, INT8 words, CACTI itrs-lstp SRAM, lpddr4 energy a bit: the "
    ".cfg names none of them"
)


@dataclass(slots=True)
class ScaleSimConfig:
    """What a .cfg says. bandwidth: words a cycle, None for InterfaceBandwidth: CALC.
    ignored: (key, why) of every key without meaning here."""

    name: str = "scalesim"
    rows: int = 0
    columns: int = 0
    input_kib: int = 0
    weight_kib: int = 0
    output_kib: int = 0
    dataflow: str = "os"
    bandwidth: int | None = None
    source: str = ""
    ignored: list[tuple[str, str]] = field(default_factory=list)


def load_cfg(path: str | Path) -> ScaleSimConfig:
    """Read a .cfg file; InputError with the line of everything wrong."""
    entries, problems = _entries(read_text(path), str(path))
    made = ScaleSimConfig(source=str(path))

    def wrong(
        code: str, message: str, fix: str, key: str = "", place: tuple[int, int] = (0, 0)
    ) -> None:
        problems.append(Problem(f"cfg.{code}", message, fix, key, str(path), *place))

    seen: dict[str, tuple[str, tuple[int, int]]] = {}
    for section, key, value, place in entries:
        name = key.lower()
        known = name in NUMBERS or name in (
            "dataflow",
            "bandwidth",
            "interfacebandwidth",
            "run_name",
        )
        if known:
            if name in seen:
                wrong("duplicate", "is given twice", "keep one line", key, place)
            seen[name] = (value, place)
        elif name == "sparsitysupport" and value.lower() == "true":
            made.ignored.append((f"{section}.{key}", "layers are simulated dense"))
        else:
            made.ignored.append((f"{section}.{key}", "no meaning here"))
    for name, (attribute, low, high) in NUMBERS.items():
        if name not in seen:
            wrong(
                "missing",
                "is missing",
                f"write {SPELLED[name]}: 32 under [architecture_presets]",
                SPELLED[name],
            )
            continue
        value, place = seen[name]
        number = whole_number(value, low, high)
        if number is None:
            wrong(
                "number",
                f"{value[:40]!r} is not a whole number from {low} to {high}",
                "write a number like 32",
                SPELLED[name],
                place,
            )
        else:
            setattr(made, attribute, number)
    flow, place = seen.get("dataflow", ("", (0, 0)))
    if flow.lower() not in DATAFLOWS:
        wrong(
            "dataflow",
            f"{flow[:40]!r} is no dataflow" if flow else "is missing",
            "write one of: os, ws, is",
            "Dataflow",
            place,
        )
    made.dataflow = flow.lower()
    made.name = seen["run_name"][0] or made.name if "run_name" in seen else made.name
    _interface(made, seen, wrong)
    if problems:
        raise InputError(problems)
    return made


def _interface(
    made: ScaleSimConfig, seen: dict[str, tuple[str, tuple[int, int]]], wrong: Any
) -> None:
    mode, place = seen.get("interfacebandwidth", ("CALC", (0, 0)))
    if mode.upper() not in ("CALC", "USER"):
        wrong(
            "interface",
            f"{mode[:40]!r} is no mode",
            "write USER or CALC",
            "InterfaceBandwidth",
            place,
        )
    elif mode.upper() == "USER":
        value, place = seen.get("bandwidth", ("", (0, 0)))
        first = whole_number(value.split(",")[0].strip(), 1, 1 << 20)
        if first is None:
            wrong(
                "bandwidth",
                f"{value[:40]!r} is no number of words a cycle"
                if value
                else "is missing, and InterfaceBandwidth is USER",
                "write Bandwidth: 10",
                "Bandwidth",
                place,
            )
        made.bandwidth = first
    elif "bandwidth" in seen:
        made.ignored.append(("architecture_presets.Bandwidth", "InterfaceBandwidth is CALC"))


def read_text(path: str | Path) -> str:
    """A text file's contents; InputError when it cannot be read, is too large or no text."""
    try:
        raw = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(
            Problem(
                "file.unreadable", f"cannot be read: {reason}", "give another path", file=str(path)
            )
        ) from None
    if len(raw) > LARGEST_FILE:
        raise InputError(
            Problem(
                "file.size",
                f"has {len(raw)} bytes, at most {LARGEST_FILE}",
                "split it",
                file=str(path),
            )
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(
            Problem(
                "file.encoding",
                "is not UTF-8 text",
                "save it as UTF-8",
                file=str(path),
                line=line,
                column=1,
            )
        ) from None
    if "\0" in text:
        raise InputError(
            Problem(
                "file.binary",
                "holds a zero byte, so it is no text file",
                "give a text file",
                file=str(path),
            )
        )
    return text


def whole_number(text: str, low: int, high: int) -> int | None:
    """The number, or None unless it is plain digits within the range."""
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        return None
    return int(text) if low <= int(text) <= high else None


def _entries(
    text: str, source: str
) -> tuple[list[tuple[str, str, str, tuple[int, int]]], list[Problem]]:
    """(section, key, value, (line, column)) of every line of an INI file, and what is wrong."""
    found, problems, section = [], [], ""
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if not bare or bare[0] in "#;":
            continue
        column = len(line) - len(line.lstrip()) + 1
        if bare.startswith("["):
            section = bare.strip("[] ")
            continue
        at = min((i for i in (bare.find(":"), bare.find("=")) if i > 0), default=-1)
        if at < 0 or not section:
            problems.append(
                Problem(
                    "cfg.line",
                    f"{bare[:40]!r} is not a key under a [section]",
                    "write [architecture_presets], then lines like ArrayHeight: 32",
                    file=source,
                    line=number,
                    column=column,
                )
            )
            if len(problems) >= 20:
                break
            continue
        found.append((section, bare[:at].strip(), bare[at + 1 :].strip(), (number, column)))
    return found, problems


def chip_of(config: ScaleSimConfig, compatible: bool) -> Chip:
    """The chip of a .cfg. compatible: with SCALE-Sim's array, else with a real one.

    InputError for a buffer smaller than the SRAM table's smallest.
    """
    problems = [
        Problem(
            "cfg.buffer",
            f"{kib} KiB is below the SRAM table's 2 KiB",
            "write 2 or more",
            key,
            config.source,
        )
        for key, kib in (
            ("IfmapSramSzkB", config.input_kib),
            ("FilterSramSzkB", config.weight_kib),
            ("OfmapSramSzkB", config.output_kib),
        )
        if kib * 1024 < SMALLEST_BANK
    ]
    if problems and not compatible:
        raise InputError(problems)
    # without a given bandwidth one that never limits: all the array takes in and gives out
    words = config.bandwidth or config.rows + 2 * config.columns
    in_words, weight_words = config.rows, config.columns  # a cycle
    if config.dataflow == "is":
        in_words, weight_words = weight_words, in_words
    memories: dict[str, Sram | Dram] = {
        "dram": Dram(
            "dram",
            float(words * CLOCK_HZ),
            "lpddr4",
            size=1 << 50,
            latency=0.0,
            burst=words,
            quantum=1 if compatible else 16,
        ),
        "ifmap_sram": _sram("ifmap_sram", config.input_kib, in_words, compatible),
        "filter_sram": _sram("filter_sram", config.weight_kib, weight_words, compatible),
        "ofmap_sram": _sram("ofmap_sram", config.output_kib, 4 * config.columns, compatible),
    }
    cls = FoldArray if compatible else MacArray
    array = cls(
        "array",
        "core",
        config.rows,
        config.columns,
        "ifmap_sram",
        "filter_sram",
        "ofmap_sram",
        (Rate("int8", "int8"),),
        dataflow=DATAFLOWS[config.dataflow],
        accumulator=Accumulator(32, "wrap", "sram"),
    )
    vector = VectorUnit("vector", "core", "ifmap_sram", "ofmap_sram", config.columns)
    return Chip(
        config.name,
        {"core": CLOCK_HZ},
        Technology(22 * 1e-9, 0.8, "horowitz_45nm"),
        memories,
        {"array": array, "vector": vector, "dma": Dma("dma", "core", "dram")},
        Precision("int8", "int8"),
        source=config.source,
        notes={"unused": _unused(config), "assumed": ASSUMED},
    )


def _unused(config: ScaleSimConfig) -> list[str]:
    """A line for each reason, with all its keys."""
    reasons: dict[str, list[str]] = {}
    for key, why in config.ignored:
        reasons.setdefault(why, []).append(key.split(".")[-1])
    return [f"{', '.join(keys)}: {why}" for why, keys in reasons.items()]


def _sram(name: str, kib: int, bytes_per_cycle: int, ideal: bool) -> Sram:
    """A buffer that moves so many bytes a cycle, in banks the SRAM table knows."""
    size = kib * 1024
    if ideal:
        return Sram(name, size, "core", 1, 8 * max(8, bytes_per_cycle))
    for width in (64, 128, 256):
        banks = -(-bytes_per_cycle * 8 // width)
        if size // banks >= SMALLEST_BANK:
            return Sram(name, size, "core", banks, width)
    return Sram(name, size, "core", max(1, size // SMALLEST_BANK), 256)
