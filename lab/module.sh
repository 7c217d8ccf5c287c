#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds hyperupcall.ko and its programs for the kernel in build/linux, into
# build/guest. The tests want the programs that are wrong on purpose, too.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
out=$build/guest

inputs()
{
	find "$root/guest/hyperupcall_mod" "$root/include/uapi" -type f -print0 |
		sort -z | xargs -0 sha256sum
	cat "$obj/.hyperupcall-build"
}

now=$(inputs | sha256sum)
[ ! -f "$out/hyperupcall.ko" ] || [ "$now" != "$(cat "$out/.inputs" 2>/dev/null)" ] || exit 0
step module "builds the guest module and its programs" \
	make -C "$root/guest/hyperupcall_mod" KDIR="$obj" OUT="$out" \
	HYPERUPCALL_TEST=1 CC='ccache gcc' -j"$jobs"
echo "$now" >"$out/.inputs"
