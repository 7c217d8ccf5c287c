#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the kernel's own KVM selftests with the series and on the pristine
# kernel, side by side, and compares how each ended: passed, skipped, failed or
# not over in time. Fails if there is a difference. The same binaries for both.
# What was over in time on one kernel only gets more time, on both.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
cd "$root"
check='check-kvm'
options='-m 4G -t 5400 -a panic_on_warn=0'
# Of L1's clock; the kernel's kvm/settings has the same.
limit=120
. lab/two-kernels.sh

# With names: those tests only.
upstream_tests()
{
	# shellcheck disable=SC2016 # make expands it
	make -s -C "$linux/tools/testing/selftests/kvm" OUTPUT=. \
		--eval='list: ; @printf "%s\n" $(TEST_GEN_PROGS)' list |
		sed 's,^\./,,' | grep -v '^hyperupcall/'
}

only()
{
	[ $# -gt 0 ] || { cat; return; }
	while read -r test; do
		for one; do
			[ "${test##*/}" != "$one" ] || echo "$test"
		done
	done
}

# run_both SUFFIX LIST LIMIT
run_both()
{
	boot "series$1" '' sh lab/tests/upstream.sh "$3" "$2" &
	boot "base$1" base sh lab/tests/upstream.sh "$3" "$2" &
	wait
}

# Those that were late on one kernel, and not on the other.
nearly_late()
{
	awk '$2 == "late" { late[$1]++ }
		END { for (test in late) if (late[test] == 1) print test }' \
		"$log/base/l1/output" "$log/series/l1/output" >"$log/nearly"
	awk 'FNR == NR { wanted[$1]; next }
		{ name = $1; sub(/.*\//, "", name) }
		name in wanted' "$log/nearly" "$log/tests"
}

# results KERNEL: of two runs of a test the second counts
results()
{
	cat "$log/$1/l1/output" "$log/$1-again/l1/output" 2>/dev/null |
		awk '!($1 in line) { names[++n] = $1 }
			{ line[$1] = $0 }
			END { for (i = 1; i <= n; i++) print line[names[i]] }' \
		>"$log/$1.results"
}

upstream_tests | only "$@" >"$log/tests"
rm -rf "$log/base-again" "$log/series-again"
echo "     $(wc -l <"$log/tests") tests, logs $log/"
run_both '' "$log/tests" $limit
nearly_late >"$log/tests-again"
[ ! -s "$log/tests-again" ] || run_both -again "$log/tests-again" $((limit * 10))

results base
results series
status=0
sed 's,.*/,,' "$log/tests" >"$log/names"
awk -f lab/compare.awk file=list "$log/names" \
	file=base "$log/base.results" file=series "$log/series.results" || status=1
[ ! -e "$log/failed" ] || status=1
exit $status
