"""make gallery: runs the shipped sweeps and keeps their pictures and numbers in reports/gallery/.

A sweep's store and its whole report go to reports/run_gallery_NAME and reports/run_gallery_NAME_report,
which git ignores. Kept are the pictures of KEPT that could be drawn (NAME_PLOT.png) and NAME.json: the answers,
the best designs and a few points, which tests/reports/test_gallery.py computes again.

python scripts/gallery.py [NAME...]
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "reports" / "gallery"
KEPT = ("pareto", "crossover", "energy", "accuracy", "sensitivity", "heatmap")
SAMPLE = 4  # points of a sweep that a test computes again
DPI = 130


def main(names: list[str]) -> None:
    from accelsim import shipped

    os.chdir(ROOT)
    GALLERY.mkdir(parents=True, exist_ok=True)
    for name in names or shipped.names("sweep"):
        store = Path("reports") / f"run_gallery_{name}"
        sweep(name, store)
        accelsim("report", str(store), "--out", f"{store}_report", "--force")
        keep(name, store)
        print(f"{name}: kept in {GALLERY.relative_to(ROOT)}")


def accelsim(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "accelsim.cli.main", *words], check=True)


def sweep(name: str, store: Path) -> None:
    """Run what the store lacks; begin anew where it is of another model or sweep."""
    words = ["sweep", f"configs/sweeps/{name}.yaml", "--store", str(store)]
    done = subprocess.run([sys.executable, "-m", "accelsim.cli.main", *words], check=False)
    if done.returncode == 2 and store.exists():
        accelsim(*words, "--fresh")
    elif done.returncode:
        raise SystemExit(done.returncode)


def keep(name: str, store: Path) -> None:
    """Pictures at a small size, and the numbers."""
    from accelsim.reports.sweeps.base import View
    from accelsim.reports.sweeps.library import own_plots
    from accelsim.reports.sweeps.notes import with_notes
    from accelsim.reports.sweeps.stored import read_store
    from accelsim.reports.sweeps.write import draw_all
    from accelsim.store.folder import context
    from accelsim.store.view import index
    from accelsim.sweeps.rerun import rerun_of

    table, asked = read_store(store)
    rerun, reason = rerun_of(store, context(store))
    view = with_notes(View(table, asked, rerun, reason))
    plots = own_plots()
    pictures = store.with_name(f"{store.name}_report")
    done = draw_all(
        view, [(plots[plot], ()) for plot in ("table", *KEPT)], pictures, ("png",), KEPT, DPI
    )
    for old in GALLERY.glob(f"{name}_*.png"):
        old.unlink()
    for one in done:
        if one.png and "writing is not measured" not in one.drawn.answer:  # a column would be empty
            (GALLERY / f"{name}_{one.stem}.png").write_bytes(small(one.png))
    with (pictures / "table_points.csv").open(newline="") as file:
        best = list(csv.DictReader(file))
    records = [record for record in index(store).records() if record.ok]
    records.sort(
        key=lambda record: json.dumps(record.point.plain(), sort_keys=True)
    )  # not as they ended
    chosen = [
        records[n * (len(records) - 1) // max(1, SAMPLE - 1)]
        for n in range(min(SAMPLE, len(records)))
    ]
    whole: dict[str, Any] = {
        "question": asked.question,
        "answers": {one.stem: one.drawn.answer for one in done if one.drawn},
        "not_drawn": {one.stem: one.reason for one in done if not one.drawn},
        "designs": len(view.designs),
        "with_measures": int(view.designs.ok.sum()),
        "captions": {one.stem: " ".join(one.text.split()) for one in done if one.png},
        "best": best,
        "points": [{"point": r.point.plain(), "measures": r.measures} for r in chosen],
    }
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    (GALLERY / f"{name}.json").write_text(text, encoding="utf-8")


def small(png: bytes) -> bytes:
    """The picture with a palette of 256 colours by k-means, which keeps the small areas of rare ones."""
    from PIL import Image

    out = io.BytesIO()
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(256, kmeans=8, dither=Image.Dither.NONE).save(out, format="PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main(sys.argv[1:])
