# deepxrd: `make` lists what there is. Each target does its own set-up.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
RUN_ENV := PYTHONUNBUFFERED=1
DATA ?= ../shared/data
SNAPSHOT ?= ../shared/data/mp-ternary-2025.02.12.parquet
CHECKPOINT ?= outputs/method/seed1/checkpoints/best.ckpt
BASELINES := comb,random,nearest,substitution,oracle_volume,template_oracle,polymorph_oracle

# Material 9 tells at each build that MkDocs 2 will not do; the constraints keep version 1.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

.DEFAULT_GOAL := help
.PHONY: help setup dev train abc3 baselines method readings tables test test-slow framework lint docs format bench-xrd bench-build bench-library bench-serve bench-start bench-train match-study weights model-table reliability wheel clean

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed ## install deepxrd and what it needs into .venv
dev: $(VENV)/.installed-dev ## the same, and the tools for development

# torch first and by its exact version: any looser request may bring another build of several gigabytes.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^torch==' constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,docs,servers]'
	touch $@

train: $(VENV)/.installed ## build the embedded data, train, score (a few minutes)
	$(RUN_ENV) $(BIN)/python -m deepxrd.train $(ARGS)

abc3: $(VENV)/.installed ## the main job on real structures: SNAPSHOT=PATH of a Parquet table
	$(RUN_ENV) $(BIN)/python -m deepxrd.train data=abc3 source=files source.path=$(SNAPSHOT) loss=pearson $(ARGS)

baselines: $(VENV)/.installed ## score all baselines on real structures, into results/: SNAPSHOT=PATH
	for data in abc3 ternary; do \
	  out=$$(mktemp -d) && $(RUN_ENV) $(BIN)/python -m deepxrd.evaluate data=$$data source=files source.path=$(SNAPSHOT) \
	    model=mean evaluate.baselines=[$(BASELINES)] evaluate.cases=false evaluate.table2=false hydra.run.dir=$$out \
	  && cp $$out/scores.csv results/baselines-$$data.csv || exit; \
	done

method: $(VENV)/.installed-dev ## three seeds of the paper's network on ABC3, evaluated, into results/abc3 (half an hour): SNAPSHOT=PATH
	real="data=abc3 source=files source.path=$(SNAPSHOT)" && out=outputs/method && \
	for seed in 1 2 3; do \
	  $(RUN_ENV) $(BIN)/python -m deepxrd.train $$real loss=pearson seed=$$seed hydra.run.dir=$$out/seed$$seed && \
	  $(RUN_ENV) $(BIN)/python -m deepxrd.evaluate run=$$out/seed$$seed || exit; \
	done && \
	$(RUN_ENV) $(BIN)/python -m deepxrd.evaluate model=substitution $$real hydra.run.dir=$$out/substitution && \
	$(BIN)/python benchmarks/method_results.py --runs $$out/seed1 $$out/seed2 $$out/seed3 \
	  --baseline $$out/substitution --baselines results/baselines-abc3.csv --out results/abc3

readings: $(VENV)/.installed-dev ## Table 2 under five widths of lines, three seeds each (3 hours of one core, kept runs are not run again): SNAPSHOT=PATH
	mkdir -p outputs/sweeps && cp -rn results/tables/runs/. outputs/sweeps/; \
	$(RUN_ENV) $(BIN)/python -m deepxrd.train sweep=readings source=files source.path=$(SNAPSHOT) $(ARGS) && \
	$(RUN_ENV) $(BIN)/python benchmarks/readings.py score --sweep outputs/sweeps/readings && \
	$(BIN)/python benchmarks/keep_runs.py --sweep outputs/sweeps/readings --out results/tables/runs/readings && \
	$(BIN)/python benchmarks/readings.py page --sweep results/tables/runs/readings --out results/tables

tables: $(VENV)/.installed-dev ## the paper's Tables 3, 4 and 5 (120 runs, those kept in results/ are not run again): SNAPSHOT=PATH ARGS=hydra/launcher=joblib
	mkdir -p outputs/sweeps && cp -rn results/tables/runs/. outputs/sweeps/; \
	real="source=files source.path=$(SNAPSHOT)" && for table in table3 table4 table5; do \
	  $(RUN_ENV) $(BIN)/python -m deepxrd.train sweep=$$table $$real $(ARGS) || failed=1; \
	  $(BIN)/python benchmarks/keep_runs.py --sweep outputs/sweeps/$$table --out results/tables/runs/$$table || exit; \
	done; \
	for metric in peak_recall_any peak_f1_2deg pearson_distance; do \
	  $(BIN)/python -m deepxrd.report sweeps=[outputs/sweeps/table3,outputs/sweeps/table4,outputs/sweeps/table5] \
	    metric=$$metric hydra.run.dir=results/tables || exit; \
	done; exit $${failed:-0}

test: $(VENV)/.installed-dev ## run the tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

test-slow: $(VENV)/.installed-dev ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow $(ARGS)

framework: $(VENV)/.installed-dev ## what a researcher can do, as tests do it, into results/framework.md
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/framework tests/unit/training/test_flags.py tests/docs/test_notebooks.py -m "" -n 2 --task-table results/framework.md $(ARGS)

lint: $(VENV)/.installed-dev ## check style, types, the direction of imports, and that the documentation builds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	site=$$(mktemp -d) && $(MKDOCS) --quiet --site-dir $$site && rm -r $$site

docs: $(VENV)/.installed-dev ## build the documentation as a website, into site/
	$(MKDOCS)

format: $(VENV)/.installed-dev ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-xrd: $(VENV)/.installed-dev ## time the simulator against pymatgen and xrd-rust, and compare the patterns
	$(BIN)/python benchmarks/bench_xrd.py --parquet $(SNAPSHOT) --n 500 | tee results/xrd_speed.txt
	$(BIN)/python benchmarks/parity_xrd.py --parquet $(SNAPSHOT) --out results
	$(BIN)/python benchmarks/bench_sizes.py
	$(BIN)/python benchmarks/speed_page.py

bench-build: $(VENV)/.installed-dev ## build the full Ternary set undisturbed, killed, and on Dask: time, memory, bytes
	$(BIN)/python benchmarks/bench_build.py --parquet $(SNAPSHOT) --out results

bench-library: $(VENV)/.installed-dev ## size and times of the library that ships, into results/library
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_library.py --out results/library

bench-start: $(VENV)/.installed-dev ## cold start and screening of an older checkout and of this one, in turn, into results/speed.md (half an hour): BEFORE=CHECKOUT SNAPSHOT=PATH SCAN=PATH ELEMENTS=Sr,Ti,O
	$(BIN)/python benchmarks/bench_start.py --before $(BEFORE)/src --after src --scan $(SCAN) --elements $(ELEMENTS)
	$(BIN)/python benchmarks/bench_screening.py --before $(BEFORE)/src --after src --parquet $(SNAPSHOT) --fast
	$(BIN)/python benchmarks/bench_cluster.py
	$(BIN)/python benchmarks/speed_page.py

bench-train: $(VENV)/.installed-dev ## training and screening with a network against the plain way, into results/speed.md (two hours): SNAPSHOT=PATH CHECKPOINT=PATH STORE=FOLDER
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_train.py --parquet $(SNAPSHOT)
	$(BIN)/python benchmarks/bench_train.py --parquet $(SNAPSHOT) --name train-all-cores
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_train.py --parquet $(SNAPSHOT) --name parity \
	  --batch-size 64 --batches 8 --epochs 2 --seeds 1 2 3 --ways plain ours-32 ours
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_train.py --parquet $(SNAPSHOT) --name finished \
	  --batch-size 64 --epochs 20 --seeds 1 2 3 --scheduler cosine --ways plain ours ours-32
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_layers.py --compile
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/bench_screening_network.py --checkpoint $(CHECKPOINT) \
	  --store $(or $(STORE),$(error give STORE=FOLDER, a built data set))
	$(BIN)/python benchmarks/bench_screening_network.py --checkpoint $(CHECKPOINT) --name screening-network-million \
	  --only screened --sizes 1000000 --jobs -1
	$(BIN)/python benchmarks/speed_page.py

bench-serve: $(VENV)/.installed-dev ## 50 users at once on the page, and a kill, into results/page.md (three minutes)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/serve_load.py --out results

match-study: $(VENV)/.installed-dev ## how often the phases of measured scans are found, into results/match (ten minutes): DATA=FOLDER
	$(BIN)/python benchmarks/match_measured.py --data $(DATA) --out results/match
	$(BIN)/python benchmarks/match_alone.py --data $(DATA) --out results/match
	$(BIN)/python benchmarks/match_unseen.py --data $(DATA) --out results/match
	$(BIN)/python benchmarks/match_page.py --out results/match

weights: $(VENV)/.installed ## fit the model that comes with deepxrd anew (two hours on two cores): SNAPSHOT=PATH LIBRARY=PATH
	$(RUN_ENV) $(BIN)/python -m deepxrd.train model=candidates model.networks=3 model.library=$(LIBRARY) data=any seed=0 \
	  source=files source.path=$(SNAPSHOT) hydra.run.dir=outputs/weights
	$(BIN)/python benchmarks/ship_weights.py --weights outputs/weights/model

model-table: $(VENV)/.installed ## all models and baselines on three splits, into results/model: SNAPSHOT=PATH ARGS=--run …
	$(BIN)/python benchmarks/model_table.py --parquet $(SNAPSHOT) --data-dir data --out results/model $(ARGS)

reliability: $(VENV)/.installed-dev ## try hostile, damaged and random files, into results/reliability.md (ten minutes)
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/reliability.py $(ARGS)

wheel: $(VENV)/.installed-dev ## build the wheel into dist/
	$(BIN)/python -m build --wheel

clean: ## remove the environment and what was built; data/ and outputs/ stay
	rm -rf $(VENV) dist build site .mypy_cache .ruff_cache .pytest_cache .hypothesis
