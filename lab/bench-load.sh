#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# bench-load.sh: measures how long a guest's LOAD takes, from the hypercall to its
# return, by kind and length of the program. Prints millions of instructions of
# the host, or microseconds where there is KVM and no clock that counts them.
# BEFORE is another kernel to compare with: a bzImage, or a commit of build/linux,
# which is built. L1 has one CPU.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
cd "$root"
log=build/log/bench-load
BEFORE=${BEFORE-}

boots()
{
	echo "now $obj/arch/x86/boot/bzImage"
	[ -z "$BEFORE" ] || echo "before $before"
}

boot()
{
	lab/boot.sh -i -k "$2" -a kvm.hyperupcall=1 -t 1800 "bench-load/$1" \
		build/selftests/hyperupcall/bench_load
}

# The image that BEFORE stands for.
build_before()
{
	case $BEFORE in
	'')	;;
	*/*)	before=$BEFORE ;;
	*)
		VARIANT=before lab/kernel.sh build
		before=$build/before/obj-before/arch/x86/boot/bzImage
		;;
	esac
}

case ${1-} in
--boots)	before=${2-}; boots | xargs -P 2 -L 1 lab/bench-load.sh --boot; exit ;;
--boot)		shift; boot "$@"; exit ;;
esac

before=
build_before
rm -rf "$log"
status=0
STEP_HINT="The consoles are in $log/*/." \
	step bench-load "boots L1, loads programs, and measures" \
	lab/bench-load.sh --boots "$before" || status=1

case $(lab/accel.sh icount) in
*icount*)	unit='million instructions' per=4000000 ;;
*)		unit=microseconds per=1000 ;;
esac
echo
for boot in before now; do
	[ ! -s "$log/$boot/l1/output" ] || sed "s/^/$boot /" "$log/$boot/l1/output"
done | awk -v unit="$unit" -v per=$per -f lab/load-table.awk || status=1
echo "logs: $log/"
exit $status
