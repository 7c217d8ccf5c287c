#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# On a kernel with IBT the module's entry to what a CPU calls by address, in a
# program's name, is not sealed. Compiles the module for such a kernel, and runs
# nothing.

set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
VARIANT=ibt
. "$root/lab/env.sh"
out=$build/guest$suffix
ko=$out/hyperupcall.ko

tests=0
failures=0

expect()
{
	tests=$((tests + 1))
	what=$1
	shift
	if "$@" >&2; then
		echo "ok $tests - $what"
	else
		echo "not ok $tests - $what"
		failures=$((failures + 1))
	fi
}

# Nothing has the kernel's symbols, and nothing is loaded.
compiles()
{
	VARIANT=$VARIANT "$root/lab/kernel.sh" headers &&
		make -C "$root/guest/hyperupcall_mod" KDIR="$obj" OUT="$out" \
			BTF="$build/linux/obj/vmlinux" CC='ccache gcc' \
			KBUILD_MODPOST_WARN=1 -j"$jobs"
}

# Where a function is, as the relocations say it: section + offset in hex.
place()
{
	readelf -SsW "$ko" | awk -v name="$1" '
		/^ *\[ *[0-9]+\]/ { sub(/^ *\[ */, ""); sub(/\]/, ""); section[$1] = $2 }
		$4 == "FUNC" && $8 == name {
			sub(/^0*/, "", $2)
			print section[$7], "+", $2 ? $2 : 0
		}'
}

# Sealed entries, one a line, in the same way.
sealed()
{
	readelf -rW "$ko" | awk '
		/^Relocation section/ { seals = /\.rela\.ibt_endbr_seal/ }
		seals && $3 ~ /^R_X86_64_/ { print $(NF - 2), $(NF - 1), $NF }'
}

is_sealed()
{
	at=$(place "$1")
	echo "$1 is at $at"
	[ -n "$at" ] && sealed | grep -Fqx "$at"
}

is_not_sealed()
{
	at=$(place "$1")
	echo "$1 is at $at"
	[ -n "$at" ] && ! sealed | grep -Fqx "$at"
}

expect "the module compiles for a kernel with IBT" compiles
# Without that the other one would say nothing.
expect "a function that is only called is sealed" is_sealed hypercall
expect "hyperupcall_nop() is not" is_not_sealed hyperupcall_nop
echo "1..$tests"
exit $((failures > 0))
