# Septet's commands are `make demo`, `make demo-remote` and `make test`; the rest is what they are made of.
# Programs are left in target/release and run from there.

CARGO ?= cargo
PROFILE = --release
OUT = target/release
GENERATORS = cd generators && CARGO_TARGET_DIR=$(CURDIR)/target/generators
# The packages of generators/ that need DPDK, where it is.
DPDK = $(shell pkg-config --exists libdpdk 2>/dev/null && echo -p septet-dpdk-sys -p septet-generator-dpdk)
SETUP = sh host-setup/setup.sh

# Programs leave a signal ignored that was ignored when they started, as nohup and shells' background jobs have it; tests
# send such signals.
HEARING = env --default-signal=HUP,INT

.PHONY: demo demo-remote test test-hardware build site setup setup-test bench lint clean-demo

# Sets up, builds, measures, reports.
demo: setup build site
	$(OUT)/septet run experiments/quick.toml

# As root: the same on two emulated hosts with a cable between them, over ssh.
demo-remote: setup build
	$(SETUP) remote
	sh pipeline/tests/testbed/demo.sh $(OUT) experiments/remote.toml

# Sets up, runs every test.
test: setup-test build
	SEPTET_GEN=$(CURDIR)/$(OUT)/septet-gen $(HEARING) $(CARGO) test $(PROFILE) --workspace --quiet --no-fail-fast
	$(GENERATORS) $(HEARING) $(CARGO) test $(PROFILE) --quiet
	$(if $(DPDK),$(GENERATORS) $(CARGO) test $(PROFILE) --quiet $(DPDK),@echo "skipped: the tests of septet-gen-dpdk: pkg-config finds no libdpdk")
	sh generators/tests/reproducible.sh

# As root: SR-IOV, hyper-threads, NUMA and a governor, in guests of QEMU's that it brings; one of them, then two.
test-hardware: setup build
	sh host-setup/tests/hardware/run.sh target/hardware
	REMOTE=yes sh host-setup/tests/hardware/run.sh target/hardware

build:
	$(CARGO) build $(PROFILE) --workspace --bins
	sh generators/build.sh target/generators $(OUT)
	sh pipeline/remote/build.sh target/remote $(OUT)
	$(if $(DPDK),sh generators/build.sh target/generators $(OUT) dpdk,@echo "build: no septet-gen-dpdk: pkg-config finds no libdpdk")
	sh host-setup/basicfwd.sh $(OUT)

# As root: what programs' names mean to an agent that an ordinary user commands through sudo.
site: build
	sh host-setup/site.sh $(OUT)

# What measuring needs of the system.
setup:
	$(SETUP) measure

# What the tests need besides.
setup-test:
	$(SETUP) measure test
	sh pipeline/tests/tools.sh

bench: setup-test build
	sh benches/run.sh

lint:
	$(CARGO) fmt --all --check
	cd generators && $(CARGO) fmt --all --check
	cd pipeline/remote && $(CARGO) fmt --check
	sh nix/check.sh
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(GENERATORS) $(CARGO) clippy --all-targets -- -D warnings
	$(if $(DPDK),$(GENERATORS) $(CARGO) clippy $(DPDK) --all-targets -- -D warnings)
	cd pipeline/remote && CARGO_TARGET_DIR=$(CURDIR)/target/remote $(CARGO) clippy $(PROFILE) -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps
	$(GENERATORS) RUSTDOCFLAGS="-D warnings" $(CARGO) doc --no-deps
	$(if $(DPDK),$(GENERATORS) RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(DPDK) --no-deps)
