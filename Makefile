# Leafcutter on Debian 12. `make help` says what there is.

# Where setup and demo keep what they download and make.
STATE ?= $(CURDIR)/.lab
DEMO_PACKAGE := qemu-config/demo
END_TO_END := Tests/EndToEnd
TORTURE_PACKAGE := Tests/MigrationTorture
BENCH_PACKAGE := Benchmarks
EVALUATION_PACKAGE := Evaluation

# Where SwiftPM puts what it builds. The guest's program is linked without any shared library and has
# a scratch path of its own, because the flag would reach everything else.
RELEASE := .build/release
STATIC := .build-static/release
# The packages that stand on this one have one scratch path, because most of what they build is the same:
# $(call package,DIRECTORY). What SwiftPM has planned there for another package is not to be used again.
PACKAGES := .build-packages
package = --package-path $(1) --scratch-path $(PACKAGES) --disable-build-manifest-caching
DEMO := $(PACKAGES)/release
TORTURE := $(PACKAGES)/release/leafcutter-torture
BENCH := $(PACKAGES)/release
EVALUATION := $(PACKAGES)/release/leafcutter-evaluation

GUEST_FILES := $(STATIC)/leafcutter-guest $(DEMO)/leafcutter-store \
  $(RELEASE)/libleafcutter_wt.so $(RELEASE)/libleafcutter_hold.so
LINT := swift format lint --strict --recursive
# `make install-host` and `make install-guest`. The unit and the drop-in name /usr.
PREFIX ?= /usr
# `make torture`: rounds, and what decides the faults.
ROUNDS ?= 20
SEED ?= 1
SOURCES := Sources Tests Fuzzing/Sources Fuzzing/Package.swift Package.swift $(DEMO_PACKAGE)/Sources $(DEMO_PACKAGE)/Tests $(DEMO_PACKAGE)/Package.swift \
  $(BENCH_PACKAGE)/Sources $(BENCH_PACKAGE)/Tests $(BENCH_PACKAGE)/Package.swift \
  $(EVALUATION_PACKAGE)/Sources $(EVALUATION_PACKAGE)/Tests $(EVALUATION_PACKAGE)/Package.swift

# $(call build,OPTIONS) builds and shows what the tools say only when they fail: the linker warns about
# every libc function that a static program should not use.
build = @log=$$(mktemp) && { swift build -c release $(1) >$$log 2>&1 \
  || { cat $$log >&2; rm -f $$log; exit 1; }; } && rm -f $$log

export LEAFCUTTER_STATE := $(STATE)

.PHONY: help setup setup-demo setup-programs setup-bench programs build build-guest install-host install-guest build-old-guest build-torture build-bench build-evaluation \
  databases databases-in-guests nodes-in-guest test-databases test-migrations demo downtime matrix torture bench bench-counts evaluation \
  evaluation-plots test races format

help:
	@echo "make setup    install what is missing: QEMU 10, the guest's kernel, libraries (as root)"
	@echo "make build    build the programs and the demo's guest (make programs: without that)"
	@echo "make install-host, make install-guest  put them below $$DESTDIR$(PREFIX)"
	@echo "make demo     migrate a guest with a busy database, without and with Leafcutter"
	@echo "                JSON=FILE writes the figures, OPTIONS=... is passed on (OPTIONS=--help)"
	@echo "make downtime migrate one guest to and fro, and compare the downtimes without and with Leafcutter"
	@echo "                MIGRATIONS=20 of each; JSON=FILE and OPTIONS=... as above"
	@echo "make matrix   migrate between QEMU 7.2 and 10.0 in every way and compare all memory"
	@echo "                JSON=FILE writes the rows, SHORT=1 runs those that stand for the others,"
	@echo "                OPTIONS=... is passed on (OPTIONS=--help)"
	@echo "make databases  evict, hold and read back on each WiredTiger and allocator, and print tables"
	@echo "                DOCUMENTS=N in the database (200000)"
	@echo "make databases-in-guests  the same in guests on kernels 6.12 and 6.1 (DOCUMENTS=20000)"
	@echo "make nodes-in-guest  test where threads and buffers are in a guest with two NUMA nodes"
	@echo "make torture  migrate a guest ROUNDS times while things go wrong, and count what is lost"
	@echo "                SEED=S repeats a run, JSON=FILE writes the counts, OPTIONS=... is passed on"
	@echo "make bench    measure the proxy's data path beside socat, HAProxy, nginx and a bare splice relay"
	@echo "                JSON=FILE writes the figures, OPTIONS=... is passed on (OPTIONS=--help)"
	@echo "make bench-counts  count the proxy's calls, allocations and copies, and fail where there are too many"
	@echo "make evaluation  migrate in every way that there is, and compare (hours; QUICK=1: minutes)"
	@echo "                JSON=FILE writes the raw data, OPTIONS=... is passed on (OPTIONS=--help)"
	@echo "make evaluation-plots  draw docs/evaluation from the raw data in it"
	@echo "make test     check the style and run the tests"
	@echo "make races    look for data races where a guest takes pages back under load (ThreadSanitizer)"
	@echo "make format   format the sources"

setup:
	@qemu-config/setup --quiet

# What is needed for building and for the demo.
setup-demo:
	@qemu-config/setup --quiet --demo

# What the programs are built with, and nothing that they are tried with.
setup-programs:
	@qemu-config/setup --quiet --programs

# The relays that are measured beside the proxy.
setup-bench:
	@qemu-config/setup --quiet --bench

programs: setup-programs
	@echo "building leafcutter, the WiredTiger extension and the hold library"
	$(call build,--static-swift-stdlib --product leafcutter)
	$(call build,--static-swift-stdlib --product leafcutter_wt)
	$(call build,--static-swift-stdlib --product leafcutter_hold)
	@echo "building leafcutter-guest"
	$(call build,--scratch-path .build-static -Xswiftc -static-executable --product leafcutter-guest)

build-guest: setup-demo programs
	@echo "building the demo's guest"
	$(call build,$(call package,$(DEMO_PACKAGE)) --static-swift-stdlib --product leafcutter-store)
	@qemu-config/guest/build $(STATE)/kernel $(STATE)/guest $(GUEST_FILES)

build: build-guest
	@echo "building the demo"
	$(call build,$(call package,$(DEMO_PACKAGE)) --static-swift-stdlib --product leafcutter-demo)

# Host: the proxy. Guest: what runs in the guest, for which DESTDIR may be its file system.
install-host: programs
	install -D $(RELEASE)/leafcutter $(DESTDIR)$(PREFIX)/bin/leafcutter

install-guest: programs
	install -D $(STATIC)/leafcutter-guest $(DESTDIR)$(PREFIX)/bin/leafcutter-guest
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/leafcutter $(RELEASE)/libleafcutter_hold.so \
	  $(RELEASE)/libleafcutter_wt.so
	install -D -m 644 -t $(DESTDIR)/etc/systemd/system qemu-config/guest-service/leafcutter-guest.service
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/leafcutter qemu-config/guest-service/database.conf

# $(call run,SUBCOMMAND) runs the demo's program with what has been built.
run = $(DEMO)/leafcutter-demo $(1) --state $(STATE) --guest $(STATE)/guest \
  --proxy $(RELEASE)/leafcutter --store $(DEMO)/leafcutter-store \
  $(if $(JSON),--json $(JSON)) $(OPTIONS)

# The same guest on Debian 12's own kernel, which has no UFFDIO_MOVE.
build-old-guest: setup build-guest
	@qemu-config/guest/build $(STATE)/kernel-6.1 $(STATE)/guest-6.1 $(GUEST_FILES)

demo: build
	@$(call run,compare)

downtime: build
	@$(call run,downtime --migrations $(or $(MIGRATIONS),20))

matrix: setup
	@echo "building the matrix"
	$(call build,--static-swift-stdlib --product leafcutter-matrix)
	@$(RELEASE)/leafcutter-matrix $(if $(SHORT),--short) $(if $(JSON),--json $(JSON)) $(OPTIONS)

databases: setup
	@echo "building the extension, the hold library and the tests"
	$(call build,--static-swift-stdlib --product leafcutter_wt)
	$(call build,--static-swift-stdlib --product leafcutter_hold)
	$(call build,--static-swift-stdlib --product leafcutter-guest)
	@swift build --build-tests >/dev/null
	@log=$$(mktemp); LEAFCUTTER_LIBRARIES=$(CURDIR)/$(RELEASE) LEAFCUTTER_DOCUMENTS=$(or $(DOCUMENTS),200000) \
	  swift test --skip-build --no-parallel --filter 'ExtensionTests.(Database|Prepare|Refault)TableTests' >$$log 2>&1; status=$$?; \
	  grep -E '^\||✘' $$log; rm -f $$log; exit $$status

# The same in guests, one for each kernel that is there for them.
databases-in-guests: build-old-guest
	@swift build --build-tests >/dev/null
	@for guest in guest guest-6.1; do \
	  Tests/databases-in-guest $(STATE)/$$guest $(or $(DOCUMENTS),20000) || exit 1; \
	done

nodes-in-guest: setup build-guest
	@swift build --build-tests >/dev/null
	@Tests/nodes-in-guest $(STATE)/guest

build-torture: build-guest
	@echo "building the torture"
	$(call build,$(call package,$(TORTURE_PACKAGE)) --static-swift-stdlib --product leafcutter-torture)

torture = $(TORTURE) --state $(STATE) --guest $(STATE)/guest --proxy $(RELEASE)/leafcutter \
  --store $(DEMO)/leafcutter-store --seed $(SEED)

torture: build-torture
	@$(torture) --rounds $(ROUNDS) $(if $(JSON),--json $(JSON)) $(OPTIONS)

build-bench:
	@echo "building leafcutter and the benchmark"
	$(call build,--static-swift-stdlib --product leafcutter)
	$(call build,$(call package,$(BENCH_PACKAGE)) --static-swift-stdlib --product leafcutter-bench)
	$(call build,$(call package,$(BENCH_PACKAGE)) --static-swift-stdlib --product call_counter)

# The counter is loaded by other programs, so its path is whole.
bench_options = --proxy $(RELEASE)/leafcutter --call-counter $(CURDIR)/$(BENCH)/libcall_counter.so

bench: setup-bench build-bench
	@$(BENCH)/leafcutter-bench $(bench_options) $(if $(JSON),--json $(JSON)) $(OPTIONS)

bench-counts: build-bench
	@timeout --foreground 900 $(BENCH)/leafcutter-bench counts $(bench_options) --megabytes 512 \
	  --limits $(BENCH_PACKAGE)/count-limits.json

build-evaluation: build-guest
	@echo "building the evaluation"
	$(call build,$(call package,$(EVALUATION_PACKAGE)) --static-swift-stdlib --product leafcutter-evaluation)

evaluation: build-evaluation
	@$(EVALUATION) run --state $(STATE) --guest $(STATE)/guest --proxy $(RELEASE)/leafcutter \
	  --store $(DEMO)/leafcutter-store $(if $(QUICK),--quick) \
	  --json $(or $(JSON),$(STATE)/evaluation.json) \
	  --commit "$$(git describe --always --dirty 2>/dev/null)" $(OPTIONS)

evaluation-plots:
	$(call build,$(call package,$(EVALUATION_PACKAGE)) --static-swift-stdlib --product leafcutter-evaluation)
	@$(EVALUATION) plot --document docs/evaluation.md --directory docs/evaluation docs/evaluation/*.json

# Tests that wait in their thread for a database or for QEMU run one after the other, or the others' limits of
# time are met. Both kinds at once take hardly longer than one, as each waits half of its time.
one_by_one = Tests/run --built --no-parallel

test-databases:
	@$(one_by_one) --filter '^ExtensionTests\.'

test-migrations:
	@LEAFCUTTER_QEMU=1 $(one_by_one) --filter '^MigrationTests\.'

# The programs are built first, because the end-to-end tests migrate the demo's guest. The proxy's tests, which
# are asynchronous, run apart from those that keep all the threads of a small machine.
test: setup build-torture build-old-guest
	@$(LINT) $(SOURCES)
	@Tests/run --skip '^(ExtensionTests|StreamProxyTests)\.'
	@Tests/run --skip-build --filter '^StreamProxyTests\.'
	@Tests/nodes-in-guest $(STATE)/guest
	@$(MAKE) --no-print-directory --jobs=2 --output-sync test-databases test-migrations
	@$(MAKE) --no-print-directory matrix SHORT=1 JSON= OPTIONS="--budget 540"
	@Tests/run $(call package,$(DEMO_PACKAGE))
	@Tests/run $(call package,$(BENCH_PACKAGE))
	@$(MAKE) --no-print-directory bench-counts
	@Fuzzing/run 60 1
	@Tests/run $(call package,$(END_TO_END))
	@Tests/run $(call package,$(TORTURE_PACKAGE))
	@Tests/run $(call package,$(EVALUATION_PACKAGE))
	@$(torture) --rounds 15 --seconds 60

races:
	@TSAN_OPTIONS="suppressions=$(CURDIR)/Tests/races.suppressions" \
	  swift test --sanitize=thread --scratch-path .build-tsan --filter RevocationLoadTests

format:
	@swift format --in-place --recursive $(SOURCES)
