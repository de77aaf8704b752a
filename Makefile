# What a person types. `make help` tells.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help deps build lint test unit sim compat e2e bench bench-kafka demo demo-down clean clean-cache

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

lint: deps ## formatting, clippy, generated files, licences, layers and sizes
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets --quiet -- -D warnings
	cargo run --locked --quiet -p weir-crds --bin crdgen -- --check
	cargo deny --locked --log-level error check bans licenses sources
	cargo run --locked --quiet -p weir-tidy

unit: deps ## tests that need nothing but this machine's processor
	cargo nextest run --locked --workspace --no-fail-fast

sim: deps ## the simulated cluster: 200 seeds of 5,000 operations and 20 faults each
	cargo run --locked --quiet -p weir-sim -- --seeds 200

compat: build ## real Kafka clients against `weir-broker --dev`
	$(PYTEST) e2e/compat

e2e: build ## the suites on a real kind cluster (E2E_CLUSTER=existing takes the current context)
	$(PYTEST) e2e/tests

test: lint unit sim compat e2e ## everything above that is a test, in this order

bench: deps ## small measurements of hot code
	cargo bench --locked --workspace

bench-kafka: build ## Weir beside Kafka 4.1, in turn, with Kafka's own clients
	PYTHONPATH=e2e $(WEIR_CACHE)/venv/bin/python bench/kafka.py

demo: build ## two resources, three brokers, a million records, one broker killed; stays running
	@PYTHONPATH=e2e $(WEIR_CACHE)/venv/bin/python e2e/demo.py

demo-down: ## every trace of the demo goes, but for the cache of built parts
	@e2e/kind/lab clean
	@rm -rf $(WEIR_CACHE)/demo $(WEIR_CACHE)/load.log
	@if [ -d $(WEIR_CACHE) ]; then echo "built parts stay in $(WEIR_CACHE) ($$(du -sh $(WEIR_CACHE) | cut -f1)); make clean-cache removes them"; fi

clean: ## what cargo built
	cargo clean

clean-cache: demo-down ## the cache of built parts too
	rm -rf $(WEIR_CACHE)
