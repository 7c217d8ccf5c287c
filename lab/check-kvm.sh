#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the kernel's own KVM selftests with the series and on the pristine
# kernel, side by side, and compares how each ended: passed, skipped, failed or
# not over in time. Fails if there is a difference. The same binaries for both.

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

# run KERNEL [VARIANT]
run()
{
	start=$(date +%s)
	status=0
	VARIANT=${2-} lab/boot.sh -i -c 2 -m 4G -t 5400 "check-kvm/$1" \
		sh lab/tests/upstream.sh "$limit" "$log/tests" \
		>"$log/$1.log" 2>&1 || status=$?
	echo $status >"$log/$1.status"
	t=$(($(date +%s) - start))
	printf '%2d:%02d %s: %s\n' $((t / 60)) $((t % 60)) "$1" \
		"$(tail -n 1 "$log/$1.log")"
}

upstream_tests | only "$@" >"$log/tests"
rm -f "$log"/*.status
echo "     $(wc -l <"$log/tests") tests, logs $log/"
run series &
run base base
wait

for kernel in base series; do
	[ -e "$log/$kernel/l1/output" ] || : >"$log/$kernel/l1/output"
done
status=0
awk -f lab/check-kvm.awk file=list "$log/tests" \
	file=base "$log/base/l1/output" \
	file=series "$log/series/l1/output" || status=1
for kernel in base series; do
	[ "$(cat "$log/$kernel.status")" -eq 0 ] || {
		tail -n 3 "$log/$kernel.log" | sed "s/^/$kernel: /"
		status=1
	}
done
exit $status
