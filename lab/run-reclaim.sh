#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Measures how memory comes back from a Linux guest, prints a table and plots it.
# The same on the kernel without the series says what the hooks cost where
# nobody uses them. L1 has one CPU: two take turns in the emulator, and one that
# waits until the other has flushed its TLB waits for its turn.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
cd "$root"
log=build/log/bench-reclaim
mkdir -p "$log"

# What is booted, one a line: a name, the kernel, and the arguments of
# lab/bench-reclaim.sh. The longest first.
boots()
{
	ours=$build/linux/obj/arch/x86/boot/bzImage
	base=$build/base/obj-base/arch/x86/boot/bzImage
	cat <<-EOF
		busy $ours busy
		idle $ours idle
		unpatched $base idle swap
	EOF
}

boot()
{
	name=$1 kernel=$2
	shift 2
	lab/boot.sh -i -k "$kernel" -t 7200 "bench-reclaim/$name" \
		sh lab/bench-reclaim.sh "$@"
}

case ${1-} in
--boots)	boots | xargs -P 2 -L 1 lab/run-reclaim.sh --boot; exit ;;
--boot)		shift; boot "$@"; exit ;;
esac

lab/l2-image.sh
status=0
STEP_HINT="The consoles are in $log/*/." \
	step bench-reclaim "boots L1 three times, two at a time, and measures" \
	lab/run-reclaim.sh --boots || status=1

{
	sed 's/ swap / unpatched /' "$log/unpatched/l1/output"
	cat "$log/idle/l1/output" "$log/busy/l1/output"
} >"$log/rows"
echo
awk -v data="$log/plot.data" -f lab/reclaim-table.awk "$log/rows" || status=1
gnuplot -e "data='$log/plot.data'" lab/reclaim.gnuplot >"$log/reclaim.svg" || status=1
echo "plot: $log/reclaim.svg, logs: $log/"
exit $status
