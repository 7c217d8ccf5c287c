#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds modules for the kernel in build/linux: the guest's, hyperupcall.ko with
# its programs, into build/guest; the tests want the programs that are wrong on
# purpose, too. And those of tests: late_flush.ko for the host, text_sync.ko for
# the guest, each into build/ under its name.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
out=$build/guest
test_modules='late_flush text_sync'

inputs()
{
	find "$root/guest/hyperupcall_mod" "$root/include/uapi" \
		"$root"/lab/tests/*/ -type f -print0 |
		sort -z | xargs -0 sha256sum
	cat "$obj/.hyperupcall-build"
}

compile()
{
	make -C "$root/guest/hyperupcall_mod" KDIR="$obj" OUT="$out" \
		HYPERUPCALL_TEST=1 CC='ccache gcc' -j"$jobs"
	# The kernel's build writes beside the sources.
	for name in $test_modules; do
		mkdir -p "$build/$name"
		ln -sf "$root/lab/tests/$name"/* "$build/$name/"
		kmake M="$build/$name" modules
	done
}

[ "${1-}" != --compile ] || { compile; exit; }
now=$(inputs | sha256sum)
[ ! -f "$out/hyperupcall.ko" ] || [ "$now" != "$(cat "$out/.inputs" 2>/dev/null)" ] || exit 0
step module "builds the guest module and its programs" "$0" --compile
echo "$now" >"$out/.inputs"
