#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Measures TLB shootdowns and membarriers in a Linux guest, with more virtual
# CPUs than L1 has CPUs, and how a host takes freed memory back from one. Prints
# a table of each. The clock counts instructions.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"

vcpus=4
seconds=${SECONDS_A_ROW:-5}
log=build/log/run

"$root/lab/l2-image.sh"
status=0
STEP_HINT="The consoles are $log/shootdown/l1.console and l2.console." \
	step run-shootdown "boots L1 (1 CPU), 3 times L2 ($vcpus vCPUs), measures" \
	"$root/lab/boot.sh" -i -t 900 run/shootdown \
	sh lab/bench-shootdown.sh $vcpus "$seconds" || status=$?
STEP_HINT="The consoles are $log/reclaim/l1.console and l2.console." \
	step run-reclaim "boots L1 (1 CPU), twice L2, takes memory back" \
	"$root/lab/boot.sh" -i -t 900 run/reclaim \
	env PARTS=75 sh lab/bench-reclaim.sh idle swap hyperupcall || status=$?

# table NAME AWK SCRIPT
table()
{
	echo
	[ ! -s "$root/$log/$1/l1/output" ] ||
		awk -f "$root/lab/$2" "$root/$log/$1/l1/output" || status=1
}

table shootdown shootdown-table.awk
table reclaim reclaim-table.awk
echo "logs: $log/"
exit $status
