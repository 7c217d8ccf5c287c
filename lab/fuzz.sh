#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Runs the two fuzzers side by side, each in an L1 of its own: CALLS hypercalls
# and PROGRAMS programs, both from SEED. With MINUTES each of them starts again,
# from the next seed, until that time has passed or it finds something. What
# they print says how many ran, and a run with the same seed repeats it. VARIANT
# is the kernel.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
cd "$root"
log=build/log/fuzz$suffix
seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
seconds=$((${MINUTES:-0} * 60))

mkdir -p "$log"
exec 9>"$log.lock"
flock -n 9 || die "another fuzz.sh is running here, and the logs are its"
rm -rf "$log"
mkdir -p "$log"

# run TEST SEED COUNT: once; sets $passed and $failed
run()
{
	start=$(date +%s)
	echo "     $1: starts, seed $2, count $3, log $log/$1.log"
	status=0
	# A day: the count ends it, not the clock.
	lab/boot.sh -i -c 2 -t $((86400 / patience)) "fuzz$suffix/$1" \
		env "HUP_FUZZ_SEED=$2" "HUP_FUZZ_COUNT=$3" \
		sh lab/tests/selftest.sh "build/selftests/hyperupcall/$1" \
		>"$log/$1.log" 2>&1 || status=$?
	output=$log/$1/l1/output
	[ -e "$output" ] || output=/dev/null
	awk -v status=$status -f lab/tap.awk "$output" >"$log/$1.result"
	read -r passed failed <"$log/$1.result"
	t=$(($(date +%s) - start))
	report=$(printf '%2d:%02d %s: %s passed, %s failed, seed %s\n' \
			$((t / 60)) $((t % 60)) "$1" "$passed" "$failed" "$2"
		sed -n 's/^# /    /p' "$output" | tail -n 20
		sed 1d "$log/$1.result"
		[ "$failed" -eq 0 ] || {
			tail -n 8 "$log/$1.log" | sed 's/^/    /'
			echo "    logs: $log/$1.log $log/$1/"
		})
	printf '%s\n' "$report"
}

# fuzz TEST COUNT: once, or until the time has passed
fuzz()
{
	end=$(($(date +%s) + seconds))
	this=$seed
	while :; do
		run "$1" "$this" "$2"
		head -n 1 "$log/$1.result" >>"$log/$1.results"
		[ "$failed" -eq 0 ] && [ "$(date +%s)" -lt $end ] || break
		this=$(((this + 1) % 4294967296))
	done
}

fuzz hypercall_fuzz_test "${CALLS:-200000}" &
fuzz program_fuzz_test "${PROGRAMS:-5000}" &
wait

awk '
	{ passed += $1; failed += $2; fuzzers[FILENAME] }
	END {
		printf "%d passed, %d failed\n", passed, failed
		exit length(fuzzers) != 2 || failed || !passed
	}' "$log"/*.results
