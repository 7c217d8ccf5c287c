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

# boot NAME LOAD KERNEL [ROW...]
boot()
{
	name=$1 load=$2 kernel=$3
	shift 3
	STEP_HINT="The consoles are in $log/$name/." \
		step "bench-reclaim-$name" "boots L1 and measures $load guests" \
		lab/boot.sh -i -k "$kernel" -t 5400 "bench-reclaim/$name" \
		sh lab/bench-reclaim.sh "$load" "$@"
}

lab/l2-image.sh
ours=$build/linux/obj/arch/x86/boot/bzImage
base=$build/base/obj-base/arch/x86/boot/bzImage
status=0
boot unpatched idle "$base" swap || status=1
boot idle idle "$ours" || status=1
boot busy busy "$ours" || status=1

{
	sed 's/ swap / unpatched /' "$log/unpatched/l1/output"
	cat "$log/idle/l1/output" "$log/busy/l1/output"
} >"$log/rows"
echo
awk -v data="$log/plot.data" -f lab/reclaim-table.awk "$log/rows" || status=1
gnuplot -e "data='$log/plot.data'" lab/reclaim.gnuplot >"$log/reclaim.svg" || status=1
echo "plot: $log/reclaim.svg, logs: $log/"
exit $status
