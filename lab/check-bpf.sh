#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the kernel's own BPF tests with the series and on the pristine kernel,
# both with configs/bpf.config, side by side, and compares how each ended:
# test_verifier, test_bpf.ko, of test_progs what lab/bpf-tests lists, and what
# veristat says of the programs. The same binaries for both, of the pristine
# source. Fails if there is a difference that lab/check-bpf.meant does not have, or
# one less. How far the verifier follows a program may differ, and is printed.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
cd "$root"
check='check-bpf'
options='-m 4G -t 7200 -a log_buf_len=8M'
. lab/two-kernels.sh

# run NAME VARIANT TREE
run()
{
	boot "$1" "$2" sh lab/tests/upstream-bpf.sh "build/bpf-tests/modules-$2" \
		"build/$3/obj-$2/lib/test_bpf.ko"
}

# counts KERNEL
counts()
{
	awk -v kernel="$1" '{ count[$2]++ }
		END { printf "%s: %d passed, %d failed, %d skipped\n", kernel,
			count["passed"], count["failed"], count["skipped"] }' \
		"$log/$1/l1/output"
}

# What the verifier follows of all programs, and the programs that it follows
# further or less far.
lengths()
{
	awk -F , '
		FNR == NR { insns[$1, $2] = $4; states[$1, $2] = $5; next }
		($1, $2) in insns {
			n++
			base += insns[$1, $2]; series += $4
			base_states += states[$1, $2]; series_states += $5
			if ($4 != insns[$1, $2])
				print $1 "/" $2 ": " insns[$1, $2] " instructions, " $4 " with the series"
		}
		END { printf "%d programs: %d instructions and %d states, %d and %d with the series\n",
			n, base, base_states, series, series_states }' \
		"$log/base/l1/veristat.csv" "$log/series/l1/veristat.csv"
}

echo "     logs $log/"
run series bpf linux &
run base bpf-base base &
wait

status=0
awk -f lab/compare.awk file=meant lab/check-bpf.meant \
	file=base "$log/base/l1/output" file=series "$log/series/l1/output" || status=1
for kernel in base series; do
	counts $kernel
	[ ! -s "$log/$kernel/l1/errors" ] || sed "s/^/$kernel: /" "$log/$kernel/l1/errors"
done
lengths
[ ! -e "$log/failed" ] || status=1
exit $status
