#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Builds the KVM selftests of the kernel in build/linux, with its headers, into
# build/selftests.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
out=$build/selftests

compile()
{
	kmake headers_install
	mkdir -p "$out"
	# With it, ccache writes targets to the .d files that make does not know,
	# and a changed header builds nothing anew.
	CCACHE_BASEDIR='' \
		make -C "$linux/tools/testing/selftests/kvm" -j"$jobs" OUTPUT="$out" \
		CC='ccache gcc' CLANG=clang-19 KHDR_INCLUDES="-isystem $obj/usr/include"
}

case ${1-} in
--compile)	compile; exit ;;
esac
now=$(cat "$obj/.hyperupcall-build")
[ "$now" != "$(cat "$out/.inputs" 2>/dev/null)" ] || exit 0
step selftests "builds the KVM selftests" "$0" --compile
echo "$now" >"$out/.inputs"
