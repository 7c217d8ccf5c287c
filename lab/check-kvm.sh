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
log=build/log/check-kvm
# Of L1's clock; the kernel's kvm/settings has the same.
limit=120

mkdir -p "$log"
exec 9>build/log/check-kvm.lock
flock -n 9 || die "another check-kvm.sh is running here, and the logs are its"

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

# run NAME LIST LIMIT [VARIANT]
run()
{
	start=$(date +%s)
	status=0
	VARIANT=${4-} lab/boot.sh -i -c 2 -m 4G -t 5400 -a panic_on_warn=0 \
		"check-kvm/$1" \
		sh lab/tests/upstream.sh "$3" "$2" >"$log/$1.log" 2>&1 || status=$?
	[ -e "$log/$1/l1/output" ] || : >"$log/$1/l1/output"
	t=$(($(date +%s) - start))
	printf '%2d:%02d %s\n' $((t / 60)) $((t % 60)) "$1"
	[ $status -eq 0 ] || {
		tail -n 3 "$log/$1.log" | sed "s/^/$1: /"
		: >"$log/failed"
	}
}

# run_both SUFFIX LIST LIMIT
run_both()
{
	run "series$1" "$2" "$3" &
	run "base$1" "$2" "$3" base
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
rm -rf "$log/failed" "$log/base-again" "$log/series-again"
echo "     $(wc -l <"$log/tests") tests, logs $log/"
run_both '' "$log/tests" $limit
nearly_late >"$log/tests-again"
[ ! -s "$log/tests-again" ] || run_both -again "$log/tests-again" $((limit * 10))

results base
results series
status=0
awk -f lab/check-kvm.awk file=list "$log/tests" \
	file=base "$log/base.results" file=series "$log/series.results" || status=1
[ ! -e "$log/failed" ] || status=1
exit $status
