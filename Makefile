# make demo | models | test | test-full | check | bench | figures | gallery | validation | area | soak | mutation | clean
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.base
STAMP := $(VENV)/.installed
RUN := $(BIN)/accelsim run
SIDES := int8_edge int4_edge pcm_8level pcm_projected
# faults that make mutation draws beside the listed ones; make mutation N=200
N ?= 20
# altered inputs of each loader that make soak reads; make soak COUNT=500 SEED=7
COUNT ?= 5000
SEED ?= 0
THREADS := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.PHONY: demo test test-full check models bench figures gallery validation area soak mutation clean python

python:
	@command -v $(PYTHON) >/dev/null || { echo "make: there is no $(PYTHON); on Debian: apt-get install python3 python3-venv make git iverilog"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11; write make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "make: $(PYTHON) has no venv; on Debian: apt-get install python3-venv"; exit 1; }

$(BASE): pyproject.toml constraints.txt | python
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(STAMP): $(BASE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@

demo: $(BASE)
	@for chip in int8_edge int4_edge; do \
	  echo "== resnet18 on $$chip"; \
	  $(RUN) $$chip resnet18 --out reports/run_resnet18_$$chip --force || exit 1; \
	  cp reports/run_resnet18_$$chip/energy.png reports/resnet18_$${chip}_energy.png; \
	  cp reports/run_resnet18_$$chip/utilisation.png reports/resnet18_$${chip}_utilisation.png; \
	  echo "== digits_cnn on $$chip, 500 test images"; \
	  $(RUN) $$chip digits_cnn --input digits --out reports/run_digits_$$chip --force || exit 1; \
	  cp reports/run_digits_$$chip/energy.png reports/digits_cnn_$${chip}_energy.png; \
	done
	@echo "== INT8, INT4 and PCM on resnet18, as they are, with the same memories and as slow as one another"
	@$(BIN)/accelsim compare $(SIDES) -w resnet18 --match memory,latency --out reports/run_compare_resnet18 --force
	@cp reports/run_compare_resnet18/energy.png reports/compare_resnet18_energy.png
	@cp reports/run_compare_resnet18/ratio_pcm_8level.png reports/compare_resnet18_ratio.png
	@echo "== INT8, INT4 and PCM on digits_cnn, 500 test images"
	@$(BIN)/accelsim compare $(SIDES) -w digits_cnn --input digits --ages "20 s, 1 h, 1 day, 30 days, 1 year" --programmings 3 --match memory --out reports/run_compare_digits --force
	@cp reports/run_compare_digits/values.png reports/compare_digits_values.png
	@cp reports/run_compare_digits/levels_pcm_8level.png reports/compare_levels.png
	@$(BIN)/accelsim report reports/run_resnet18_int8_edge reports/run_resnet18_int4_edge --out reports/run_report --force
	@cp reports/run_report/roofline.png reports/resnet18_roofline.png
	@cp reports/run_report/run1/timeline.png reports/resnet18_int8_edge_timeline.png
	@echo "pictures: reports/*.png; page: reports/run_report/report.html; full results: reports/run_*/"

test: $(STAMP)
	$(THREADS) $(BIN)/python -m pytest -n 2 --dist loadfile --durations=10

test-full: $(STAMP)
	$(THREADS) $(BIN)/python -m pytest -n 2 --dist worksteal -m full

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/test_house.py

models: $(STAMP)
	$(THREADS) $(BIN)/python -m tests.models.run

bench: $(STAMP)
	$(THREADS) $(BIN)/python benchmarks/run.py

area: $(STAMP)
	$(BIN)/python scripts/make_area.py

figures: $(STAMP)
	$(THREADS) $(BIN)/python scripts/figures.py --gallery

gallery: $(STAMP)
	$(THREADS) $(BIN)/python scripts/gallery.py

validation: $(STAMP)
	$(THREADS) $(BIN)/python scripts/validation.py

soak: $(STAMP)
	$(THREADS) $(BIN)/python -m tests.fuzz.soak --count $(COUNT) --seed $(SEED)

mutation: $(STAMP)
	$(THREADS) $(BIN)/python tests/mutation/run.py
	$(THREADS) $(BIN)/python tests/mutation/drawn.py --count $(N)

clean:
	rm -rf $(VENV) reports/run_* .pytest_cache .mypy_cache .ruff_cache
