# SPDX-License-Identifier: GPL-2.0
#
# Every target is a script in lab/ that knows what is up to date.

.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

# TREE=keep builds what is in build/linux as it is, uncommitted changes and all.
TREE ?=

.PHONY: help
help: ## this list
	@echo 'usage: make TARGET [TREE=keep] [JOBS=n]'
	@echo
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | \
		while IFS='|' read -r target what; do \
			printf '%-18s%s\n' "$$target" "$$what"; \
		done
	@echo
	@echo 'TREE=keep uses build/linux as it is, without the check that it is what'
	@echo 'the repository has. Where both have changed, sync stops: FORCE=1 takes what'
	@echo 'is in build/linux, KEEP=1 that, but for new files that are here already.'
	@echo 'Logs are in build/log/.'

.PHONY: run
run: kernel qemu module ## boot a guest on a host, measure TLB shootdowns, print the table
	@lab/run.sh

.PHONY: bench-reclaim
bench-reclaim: kernel qemu module ## measure how memory comes back from a guest, print a table, plot it
	@VARIANT=base lab/kernel.sh build
	@lab/run-reclaim.sh

.PHONY: bench-load
bench-load: kernel qemu selftests ## measure LOAD by length, BEFORE=bzImage or commit: side by side with that
	@BEFORE='$(BEFORE)' lab/bench-load.sh

.PHONY: check
check: kernel qemu module selftests bpftool ## run all tests, end with "N passed, N failed"
	@lab/check.sh

.PHONY: check-debug
check-debug: kernel qemu module selftests ## the same with KASAN, lockdep, kmemleak and the like in L1
	@VARIANT=debug lab/kernel.sh build
	@VARIANT=debug lab/check.sh

.PHONY: check-kvm
check-kvm: kernel qemu selftests ## run the kernel's KVM selftests with and without the series, compare
	@VARIANT=base lab/kernel.sh build
	@lab/check-kvm.sh

.PHONY: check-bpf
check-bpf: kernel qemu selftests ## run the kernel's BPF tests with and without the series, compare
	@VARIANT=bpf lab/kernel.sh build
	@VARIANT=bpf-base lab/kernel.sh build
	@VARIANT=bpf-base lab/bpf-tests.sh
	@VARIANT=bpf lab/bpf-tests.sh modules
	@VARIANT=bpf-base lab/bpf-tests.sh modules
	@lab/check-bpf.sh
	@VARIANT=bpf lab/check.sh observe_audit_test

.PHONY: check-reclaim
check-reclaim: kernel qemu module ## 10 GiB of guest memory in use under reclaim, in all configurations
	@SUITE=reclaim lab/check.sh

.PHONY: coverage
coverage: kernel qemu module selftests ## which lines of the kernel side the tests reach, a table a file
	@VARIANT=coverage lab/kernel.sh build
	@lab/coverage.sh

.PHONY: fuzz
fuzz: kernel qemu selftests ## run both fuzzers: CALLS=n PROGRAMS=n SEED=n MINUTES=n, DEBUG=1 as check-debug
	@$(if $(DEBUG),VARIANT=debug lab/kernel.sh build)
	@$(if $(DEBUG),VARIANT=debug) CALLS='$(CALLS)' PROGRAMS='$(PROGRAMS)' \
		SEED='$(SEED)' MINUTES='$(MINUTES)' lab/fuzz.sh

.PHONY: packages
packages: ## install the Debian packages that the build needs
	@lab/install.sh

.PHONY: source
source: packages
	@lab/kernel.sh unpack

.PHONY: kernel
kernel: tree ## build the kernel, host and guest in one, with the series
	@lab/kernel.sh build

.PHONY: qemu
qemu: packages ## find or build a QEMU that can run a nested guest under TCG
	@lab/qemu.sh

.PHONY: module
module: kernel ## build the guest module and its programs into build/guest
	@lab/module.sh

.PHONY: selftests
selftests: kernel ## build the KVM selftests into build/selftests
	@lab/selftests.sh

.PHONY: bpftool
bpftool: kernel ## build bpftool into build/bpftool
	@lab/bpftool.sh

.PHONY: tree
tree: source ## repository to build/linux: one commit a patch, on the pristine source
	@$(if $(filter keep,$(TREE)),:,lab/tree.sh apply)

.PHONY: sync
sync: source ## build/linux to repository: commits become patches and new files
	@lab/sync.sh

.PHONY: series
series: source ## write the patch series with cover letter to build/series
	@lab/series.sh write

.PHONY: series-check
series-check: kernel ## checkpatch, git am, other configurations, sparse, W=1, documents
	@lab/series.sh check
	@VARIANT=module lab/kernel.sh build
	@VARIANT=without lab/kernel.sh build
	@lab/static.sh

.PHONY: series-build
series-build: source ## build every commit of the series
	@lab/series.sh build

.PHONY: upstream-check
upstream-check: packages ## patches/upstream on a current kernel: checkpatch, git am, objects compile
	@lab/upstream.sh

.PHONY: clean
clean: ## remove what was built, keep the sources
	rm -rf build/linux/obj* build/base/obj* build/before/obj* build/qemu/obj build/qemu-path \
		build/qemu-probed build/guest build/selftests build/bpftool build/bpf-tests \
		build/series build/series-* build/static build/lab build/log \
		build/upstream/linux/obj

.PHONY: distclean
distclean: ## remove build/, with the sources and every commit in build/linux
	rm -rf build
