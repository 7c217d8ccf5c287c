#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds bpftool of the kernel in build/linux into build/bpftool, for
# lab/tests/bpftool.sh. Without LLVM, which only its disassembler uses, and
# without the programs that tell it which process holds which program: they
# take clang and the running kernel's BTF.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
out=$build/bpftool

now=$(cat "$obj/.hyperupcall-build")
[ ! -x "$out/bpftool" ] || [ "$now" != "$(cat "$out/.inputs" 2>/dev/null)" ] || exit 0
mkdir -p "$out"
step bpftool "builds bpftool" \
	make -C "$linux/tools/bpf/bpftool" OUTPUT="$out/" \
	CC='ccache gcc' HOSTCC='ccache gcc' -j"$jobs" \
	feature-llvm=0 feature-clang-bpf-co-re=0
echo "$now" >"$out/.inputs"
