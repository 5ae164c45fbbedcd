# Leafcutter on Debian 12. `make help` says what there is.

# Where setup and demo keep what they download and make.
STATE ?= $(CURDIR)/.lab
DEMO_PACKAGE := qemu-config/demo

# Where SwiftPM puts what it builds. The guest's program is linked without any shared library and has
# a scratch path of its own, because the flag would reach everything else.
RELEASE := .build/release
STATIC := .build-static/release
DEMO := $(DEMO_PACKAGE)/.build/release

GUEST_FILES := $(STATIC)/leafcutter-guest $(DEMO)/leafcutter-store \
  $(RELEASE)/libleafcutter_wt.so $(RELEASE)/libleafcutter_hold.so
LINT := swift format lint --strict --recursive
SOURCES := Sources Tests Package.swift $(DEMO_PACKAGE)/Sources $(DEMO_PACKAGE)/Package.swift

SWIFT_BUILD := swift build --quiet -c release

export LEAFCUTTER_STATE := $(STATE)

.PHONY: help setup build demo test format

help:
	@echo "make setup    install what is missing: QEMU 10, the guest's kernel, libraries (as root)"
	@echo "make build    build the programs and the demo's guest"
	@echo "make demo     migrate a guest with a busy database, without and with Leafcutter"
	@echo "                JSON=FILE writes the figures, OPTIONS=... is passed on (OPTIONS=--help)"
	@echo "make test     check the style and run the tests"
	@echo "make format   format the sources"

setup:
	@qemu-config/setup --quiet

build: setup
	@echo "building leafcutter, the WiredTiger extension and the hold library"
	@$(SWIFT_BUILD) --static-swift-stdlib --product leafcutter
	@$(SWIFT_BUILD) --static-swift-stdlib --product leafcutter_wt
	@$(SWIFT_BUILD) --static-swift-stdlib --product leafcutter_hold
	@echo "building leafcutter-guest"
	@$(SWIFT_BUILD) --scratch-path .build-static -Xswiftc -static-executable \
	  --product leafcutter-guest
	@echo "building the demo"
	@$(SWIFT_BUILD) --package-path $(DEMO_PACKAGE) --static-swift-stdlib --product leafcutter-store
	@$(SWIFT_BUILD) --package-path $(DEMO_PACKAGE) --static-swift-stdlib --product leafcutter-demo
	@qemu-config/guest/build $(STATE) $(STATE)/guest $(GUEST_FILES)

demo: build
	@$(DEMO)/leafcutter-demo --state $(STATE) --guest $(STATE)/guest \
	  --proxy $(RELEASE)/leafcutter --store $(DEMO)/leafcutter-store \
	  $(if $(JSON),--json $(JSON)) $(OPTIONS)

test: setup
	@$(LINT) $(SOURCES)
	@swift test
	@swift test --package-path $(DEMO_PACKAGE)

format:
	@swift format --in-place --recursive $(SOURCES)
