"""From a Point to its Record, in one process: builds the chip, runs what is not known yet, measures.

A Point's figures equal those of `accelsim run` on the same chip, keys and workload: the same plan, checks
and prices, with what earlier points computed taken from the cache.
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

from accelsim.chip import Chip
from accelsim.config.chip_variants import Variants
from accelsim.config.overrides import node_of
from accelsim.config.sweep_combinations import HOMES, PARAMETER, of_the_run
from accelsim.config.yaml_source import Place
from accelsim.energy import charge, counts_of
from accelsim.errors import InputError
from accelsim.job.reader import job_of
from accelsim.mapping.homes import DEFAULT
from accelsim.store import Failure, Point, Record, SweepSpec, Work, canonical
from accelsim.store.spec import Plain
from accelsim.sweeps import measures
from accelsim.sweeps.aged import Aging, worst
from accelsim.sweeps.cache import Cache
from accelsim.sweeps.identity import identity
from accelsim.sweeps.timed import Timed, Timings
from accelsim.sweeps.works import read_work
from accelsim.workload import Workload

#: problems that are an answer: the design is possible, the workload does not fit it
NO_ROOM = ("mapping.fits", "mapping.crossbars", "mapping.resident")
LONGEST = 300  # characters of a failure's message


class Evaluator:
    """Evaluates points of one sweep. cache_folder: shared results of parts, None for this process's only."""

    def __init__(self, spec: SweepSpec, cache_folder: str | None = None) -> None:
        self.spec, self.identity = spec, identity(spec)
        self.variants = {
            base.name: Variants(base.text, base.source, base.sets) for base in spec.bases
        }
        self.works = {work.name: work for work in spec.works}
        self.workloads: dict[tuple[str, str], tuple[Workload, int, int]] = {}
        self.timings = Timings(
            Cache(Path(cache_folder) if cache_folder else None), self.identity.model
        )
        self.aging = Aging(spec.values) if spec.values is not None else None
        self.writing = bool({"writing_joules", "writing_seconds"} & set(spec.measures))

    def evaluate(self, point: Point) -> Record:
        """The Record of a point; what goes wrong is in it, never raised."""
        begin = time.process_time()
        record = Record(self.identity.key(point), self.identity.model, point)
        try:
            self._measure(point, record)
        except InputError as error:
            first = error.problems[0]
            text = "; ".join(part for part in (first.path, first.message, first.fix) if part)
            record.failure = Failure(first.code, text[:LONGEST], first.code not in NO_ROOM)
        except Exception as error:  # a bug of ours is a record too, and the sweep goes on
            record.failure = Failure("internal", f"{type(error).__name__}: {error}"[:LONGEST])
        if record.failure is not None:
            record.measures, record.parts, record.aged = {}, {}, []
        record.run["cpu_s"] = time.process_time() - begin
        return record

    def _measure(self, point: Point, record: Record) -> None:
        (chip, own), homes = self.chip(point), homes_of(point)
        work = self.works[point.work]
        workload, macs, images = self.workload(work, own)
        if self.aging is not None and workload.values is not None:
            result, record.aged = self.aging.run(chip, workload, point.search, homes)
            energy, ticks = result.energy, (result.makespan, result.tick_hz)
            record.measures |= worst(record.aged)
        else:
            found = self.timings.of(chip, workload, _digest(work, own), point.search, homes)
            energy, ticks = (
                charge(counts_of(found.work, chip), chip),
                (found.makespan, found.tick_hz),
            )
            energy.check(macs)
        record.measures |= measures.basic(chip, *ticks, energy, macs, images, workload.tokens)
        record.parts = measures.parts(chip, energy)
        if self.writing:
            record.measures |= self._writing(chip, workload, _digest(work, own), point)

    def chip(self, point: Point) -> tuple[Chip, dict[str, Plain]]:
        """The chip of a point, and what it asks of its workload: the batch, parameters. A seed moves that of
        the crossbars' cells."""
        own = {key: value for key, value in point.sets if of_the_run(key) and key != HOMES}
        chip = self.variants[point.base].chip(
            (key, value) for key, value in point.sets if not of_the_run(key)
        )
        if point.seed and (crossbar := chip.crossbar) is not None:
            made = dataclasses.replace(crossbar, clock_hz=0, seed=crossbar.seed + point.seed)
            chip = dataclasses.replace(chip, units={**chip.units, crossbar.name: made})
        return chip, own

    def workload(self, work: Work, own: dict[str, Plain]) -> tuple[Workload, int, int]:
        """The workload of a point, its multiply-accumulates and its batch; read once for what points ask."""
        key = (work.name, canonical(own))
        if key not in self.workloads:
            parameters = {
                name.removeprefix(PARAMETER): value
                for name, value in own.items()
                if name.startswith(PARAMETER)
            }
            drawn = {} if self.spec.values is None else self.spec.values.drawn
            asked = {**work.job, **drawn, "batch": own.get("batch", work.batch)}
            asked["parameters"] = {**asked.get("parameters", {}), **parameters}
            job = job_of(node_of(asked, Place(work.source)))
            made = read_work(work.source, job, {} if self.aging is None else self.aging.shapes)
            self.workloads[key] = (made, made.macs, made.inferences)
        return self.workloads[key]

    def _writing(
        self, chip: Chip, workload: Workload, digest: str, point: Point
    ) -> dict[str, float]:
        """What writing all weights once takes; nothing where they stand in SRAM."""
        if chip.crossbar is None:
            return {"writing_joules": 0.0, "writing_seconds": 0.0}
        found: dict[str, Timed] = {}
        for weights in ("cold", "resident"):
            other = chip.at_weights(weights)
            try:
                found[weights] = self.timings.of(
                    other, workload, digest, point.search, homes_of(point)
                )
            except InputError as error:
                if weights == "cold" or error.problems[0].code not in NO_ROOM:
                    raise
        cold = found["cold"]
        energy = charge(counts_of(cold.work, chip), chip)
        stay = found["resident"].seconds if "resident" in found else 0.0
        return measures.writing(energy, cold.seconds, stay)


def homes_of(point: Point) -> str:
    """Where tensors between operators stand, as a point asks."""
    return str(dict(point.sets).get(HOMES, DEFAULT))


def _digest(work: Work, own: dict[str, Plain]) -> str:
    """Of the workload of a point. own: what the point asks of it."""
    return f"{work.digest}:{canonical(own)}" if own else work.digest
