#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds modules for the kernel in build/linux: the guest's, hyperupcall.ko with
# its programs, into build/guest; the tests want the programs that are wrong on
# purpose, too. And late_flush.ko, which a test puts into the host, into
# build/late_flush.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
out=$build/guest
late_flush=$build/late_flush

inputs()
{
	find "$root/guest/hyperupcall_mod" "$root/include/uapi" \
		"$root/lab/tests/late_flush" -type f -print0 |
		sort -z | xargs -0 sha256sum
	cat "$obj/.hyperupcall-build"
}

compile()
{
	make -C "$root/guest/hyperupcall_mod" KDIR="$obj" OUT="$out" \
		HYPERUPCALL_TEST=1 CC='ccache gcc' -j"$jobs"
	# The kernel's build writes beside the sources.
	mkdir -p "$late_flush"
	ln -sf "$root"/lab/tests/late_flush/* "$late_flush/"
	kmake M="$late_flush" modules
}

[ "${1-}" != --compile ] || { compile; exit; }
now=$(inputs | sha256sum)
[ ! -f "$out/hyperupcall.ko" ] || [ "$now" != "$(cat "$out/.inputs" 2>/dev/null)" ] || exit 0
step module "builds the guest module and its programs" "$0" --compile
echo "$now" >"$out/.inputs"
