#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds modules for the kernel in build/linux: the guest's, hyperupcall.ko with
# its programs, into build/guest; the tests want the programs that are wrong on
# purpose, too. And what tests put into a kernel, each folder into one of the same
# name in build/: late_flush into the host, guest_modules into the guest.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
out=$build/guest
for_tests='late_flush guest_modules'

inputs()
{
	(cd "$root/lab/tests" && find "$root/guest/hyperupcall_mod" \
		"$root/include/uapi" $for_tests -type f -print0 |
		sort -z | xargs -0 sha256sum)
	cat "$obj/.hyperupcall-build"
}

compile()
{
	make -C "$root/guest/hyperupcall_mod" KDIR="$obj" OUT="$out" \
		HYPERUPCALL_TEST=1 CC='ccache gcc' -j"$jobs"
	# The kernel's build writes beside the sources.
	for folder in $for_tests; do
		mkdir -p "$build/$folder"
		ln -sf "$root/lab/tests/$folder"/* "$build/$folder/"
		kmake M="$build/$folder" modules
	done
}

[ "${1-}" != --compile ] || { compile; exit; }
now=$(inputs | sha256sum)
[ ! -f "$out/hyperupcall.ko" ] || [ "$now" != "$(cat "$out/.inputs" 2>/dev/null)" ] || exit 0
step module "builds the guest module and its programs" "$0" --compile
echo "$now" >"$out/.inputs"
