# Brim: `make demo` to try it, `make test` to prove it. `make help` lists every target and variable.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build demo demo-stop clean-demo test test-rust test-clients soak bench bench-edge bench-events build-edge lint docs prepare-build prepare-tests

# Where the demo listens and keeps its data; `make demo LISTEN=127.0.0.1:9900` uses another port. Websites are at
# BUCKET.website.localhost on the port of WEBSITE_LISTEN.
DATA ?= ./brim-data
LISTEN ?= 127.0.0.1:9000
WEBSITE_LISTEN ?= 127.0.0.1:9080
ADMIN_LISTEN ?= 127.0.0.1:9090
EDGE_LISTEN ?= 127.0.0.1:8080
EDGE_ADMIN_LISTEN ?= 127.0.0.1:9091
WEBHOOK_LISTEN ?= 127.0.0.1:8070
# Narrows the tests: `make test-rust FILTER=listing`, `make test-clients FILTER=multipart`.
FILTER ?=
CACHE ?= $(HOME)/.cache/brim
export DATA LISTEN WEBSITE_LISTEN ADMIN_LISTEN EDGE_LISTEN EDGE_ADMIN_LISTEN WEBHOOK_LISTEN FILTER CACHE

help: ## Show this list
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'
	@echo 'Variables:'
	@echo '  LISTEN, WEBSITE_LISTEN, ADMIN_LISTEN, DATA'
	@echo '                               addresses and data directory of the demo ($(LISTEN), $(WEBSITE_LISTEN), $(ADMIN_LISTEN), $(DATA))'
	@echo '  EDGE_LISTEN, EDGE_ADMIN_LISTEN'
	@echo '                               addresses of the demo'"'"'s edge ($(EDGE_LISTEN), $(EDGE_ADMIN_LISTEN))'
	@echo '  WEBHOOK_LISTEN               address of the demo'"'"'s receiver of notifications ($(WEBHOOK_LISTEN))'
	@echo '  FILTER                       part of a name, for test-rust, test-clients, soak and bench'
	@echo '  FUZZ_SECONDS                 how long each fuzz target runs (30; in soak 3600)'
	@echo '  SOAK_SECONDS, SOAK_SEED      how long each subject of soak goes on (3600), and with which seed it begins'
	@echo '  CACHE                        tools and compiled code, outside the checkout (~/.cache/brim)'
	@echo '  CARGO_TARGET_DIR             compiled code only (CACHE/target)'
	@echo 'The first build compiles RocksDB: about 20 minutes on two cores. Later builds take seconds to minutes.'

build: prepare-build ## Build the server and the edge (release)
	@.ci/build

demo: build ## Build, start brim in the background, upload something, verify its webhook, publish a website, put an edge in front, print how to go on
	@.ci/demo start

demo-stop: ## Stop the demo's server, edge and receiver; the data stays
	@.ci/demo stop

clean-demo: ## Stop the demo's server, edge and receiver, and delete the data
	@.ci/demo clean

test: ## Install what the tests need, then run them all
	@.ci/test all

test-rust: prepare-build ## Run the Rust tests only
	@.ci/test rust

test-clients: build prepare-tests ## Run the tests with real clients only (aws, boto3, JS, Chromium, rclone, s3cmd, restic, curl)
	@.ci/test clients

soak: prepare-build ## Fuzz, race, cut the power, kill and break the disk by chance, for hours
	@.ci/test soak

bench: prepare-build ## Measure a server under load, on a machine that does nothing else (docs/performance.md)
	@.ci/test bench

bench-edge: prepare-build ## Measure the edge beside nginx and Varnish, where they are installed
	@.ci/test bench-edge

bench-events: prepare-build ## Measure notifications
	@.ci/test bench-events

build-edge: prepare-build ## Build the edge alone: neither RocksDB nor actix is compiled
	@.ci/build edge

lint: prepare-build ## Check formatting and clippy
	@.ci/test lint

docs: prepare-build ## Build the documentation; a warning is an error
	@.ci/test docs

prepare-build: ## Install what the build needs (skips what is there)
	@.ci/prepare-build

prepare-tests: ## Install the test clients (skips what is there)
	@.ci/prepare-tests
