# The project's commands. `make help` lists them.
SHELL := /bin/bash
CARGO ?= cargo
HOST_TARGET := x86_64-unknown-linux-musl
GUEST_TARGET := x86_64-unknown-none
TARGET_DIR := $(or $(CARGO_TARGET_DIR),target)
DIST := dist

.PHONY: help setup build test demo bench check fmt clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## Install what is missing (Debian packages, Rust targets)
	@scripts/setup.sh

build: setup ## Build everything into dist/
	@$(CARGO) build --release -p cli -p oci -p agent -p init -p compare
	@$(CARGO) build --release -p unikernel-process --target $(GUEST_TARGET)
	@mkdir -p $(DIST)
	@install -m 0755 $(TARGET_DIR)/$(HOST_TARGET)/release/{coracle,coracle-oci,coracle-agent,coracle-init,coracle-probe} \
		$(TARGET_DIR)/$(GUEST_TARGET)/release/coracle-unikernel $(DIST)/
	@ln -sf coracle-oci $(DIST)/coracle-oci-unikernel && ln -sf coracle-oci $(DIST)/coracle-oci-microvm

test: build ## Run every test
	@scripts/test.sh

demo: build ## Pack Redis once, run it at all three levels, and print the measured table
	@scripts/demo.sh

bench: build ## Measure, beside the peers, and print ratios
	@bench/run.sh

check: setup ## Format, lints, layers, licences, SAFETY comments
	@$(CARGO) xtask check

fmt: ## Format the code
	@$(CARGO) fmt --all

clean: ## Remove what was built
	@$(CARGO) clean && rm -rf $(DIST)
