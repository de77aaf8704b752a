# What a person types. `make help` tells.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help deps build parts lint test unit sim chart compat e2e e2e-all bench bench-kafka bench-operator demo demo-down clean clean-cache

WEIR_CACHE ?= $(HOME)/.cache/weir
export WEIR_CACHE
export PATH := $(WEIR_CACHE)/venv/bin:$(PATH)
PYTEST := PYTHONPATH=e2e $(WEIR_CACHE)/venv/bin/python -m pytest -p no:cacheprovider

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

deps: ## Debian and Python packages that the rest needs (Rust and Go must be there)
	@e2e/tools/deps

build: deps ## the programs, as they are shipped
	cargo build --locked --release -p weir-server -p weir-operator -p weir-cli

parts: deps ## what the kind cluster is made of, ahead of the cluster
	@e2e/kind/lab parts

lint: deps ## formatting, clippy, generated files, licences, layers and sizes
	cargo fmt --all --check
	cargo deny --locked --log-level error check bans licenses sources
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	@built=$$(e2e/tools/built) && set -x && $$built/crdgen --root . --check && $$built/weir-tidy

unit: deps ## tests that need nothing but this machine's processor
	cargo nextest run --locked --workspace --no-fail-fast

sim: deps ## the simulated cluster: 200 seeds of 5,000 operations and 20 faults each
	@built=$$(e2e/tools/built) && set -x && $$built/weir-sim --seeds 200

chart: deps ## the chart's templates, rights, alerts, dashboards and health checks, on no cluster
	$(PYTEST) e2e/chart

# The suites run the programs that the unit tests come with, or those of the folder WEIR_PROGRAMS.
compat: deps ## real Kafka clients against `weir-broker --dev`
	@programs=$${WEIR_PROGRAMS:-$$(e2e/tools/programs)} && WEIR_PROGRAMS=$$programs $(PYTEST) e2e/compat

e2e: deps ## the suites on a real kind cluster (E2E_CLUSTER=existing takes the current context)
	@programs=$${WEIR_PROGRAMS:-$$(e2e/tools/programs)} && WEIR_PROGRAMS=$$programs $(PYTEST) e2e/tests

e2e-all: export E2E_ALL = 1
e2e-all: e2e ## those of them that take longer too

# The cluster's parts are built beside the lint: while one of them waits for a download or a single
# thread, the other has the machine. The suites run alone: a compiler beside them starves the cluster.
test: deps ## everything above that is a test, in this order
	@$(MAKE) --no-print-directory -j2 -Otarget lint parts
	@$(MAKE) --no-print-directory unit sim chart compat e2e

bench: deps ## small measurements of hot code
	cargo bench --locked --quiet -p weir-storage -p weir-kafka --bench log --bench codec

bench-kafka: build ## Weir beside Kafka 4.1, in turn, with Kafka's own clients
	PYTHONPATH=e2e $(WEIR_CACHE)/venv/bin/python bench/kafka.py

bench-operator: build ## one operator with 10,000 Topics on a real API server without nodes
	PYTHONPATH=e2e $(WEIR_CACHE)/venv/bin/python bench/many_resources.py

demo: deps ## two resources, three brokers, a million records, one broker killed; stays running
	@$(MAKE) --no-print-directory -j2 build parts
	@PYTHONPATH=e2e $(WEIR_CACHE)/venv/bin/python e2e/demo.py

demo-down: ## every trace of the demo goes, but for the cache of built parts
	@e2e/kind/lab clean
	@rm -rf $(WEIR_CACHE)/demo $(WEIR_CACHE)/load.log
	@if [ -d $(WEIR_CACHE) ]; then echo "built parts stay in $(WEIR_CACHE) ($$(du -sh $(WEIR_CACHE) | cut -f1)); make clean-cache removes them"; fi

clean: ## what cargo built
	cargo clean

clean-cache: demo-down ## the cache of built parts too
	@if [ -f $(WEIR_CACHE)/installed-packages ]; then echo "Debian packages that were installed stay; this removes them: apt-get remove $$(sort -u $(WEIR_CACHE)/installed-packages | tr '\n' ' ')"; fi
	rm -rf $(WEIR_CACHE)
