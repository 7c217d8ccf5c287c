#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# check.sh [NAME...]: runs the cases of lab/cases and the KVM selftests, or
# those of these names, two at a time: each boots an L1 of its own. Selftests
# whose names begin alike share one: "window" is all of window_*_test, and
# "window_edges_test" one of them. The last line is "N passed, N failed".
#
# With VARIANT that is L1's kernel. The cases that run on this machine are left
# out, and those of lab/cases-VARIANT added. With SUITE the cases are those of
# lab/cases-SUITE and nothing else.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
cd "$root"

"$root/lab/l2-image.sh"
suite=${SUITE+-$SUITE}
log=build/log/check$suffix$suite
mkdir -p build/log
exec 9>"$log.lock"
flock -n 9 || die "another check.sh is running here, and the logs are its"
rm -rf "$log"
mkdir -p "$log"

# These skip where the kernel does not have what they are about: an allocation
# that fails is in no ordinary kernel, audit in the one of check-bpf alone.
wants_faults='abi_memory_test'
wants_bpf='observe_audit_test'
# A module of these cases is for the ordinary one.
wants_ordinary='reclaim-flush'

selftests()
{
	for test in build/selftests/hyperupcall/*_test; do
		name=$(basename "$test")
		[ -x "$test" ] || continue
		[ -n "$VARIANT" ] || [ "$name" != "$wants_faults" ] || continue
		[ "$VARIANT" = bpf ] || [ "$name" != "$wants_bpf" ] || continue
		echo "$name $test"
	done
}

# selftest_case NAME BINARY...
selftest_case()
{
	echo "$1 2 900 sh lab/tests/selftest.sh $(shift; echo "$@")"
}

# A case for each first word of a name; the fuzzers take the longest.
grouped()
{
	for group in $(selftests | sed 's/[ _].*//' |
		awk '/^(hypercall|program)$/ { first = first "\n" $0; next }
			{ rest = rest "\n" $0 }
			END { print first rest }' | awk '$0 && !seen[$0]++'); do
		# shellcheck disable=SC2046 # words
		selftest_case "$group" $(selftests | sed -n "s/^${group}_[^ ]* //p")
	done
}

single()
{
	selftests | while read -r name test; do
		selftest_case "$name" "$test"
	done
}

listed()
{
	sed -e 's/#.*//' -e '/^[ \t]*$/d' "$1"
}

cases()
{
	if [ -n "$suite" ]; then
		listed "lab/cases$suite"
		return
	fi
	if [ -z "$VARIANT" ]; then
		listed lab/cases
		grouped
	else
		# There the fuzzers take longer than all the rest.
		grouped
		listed lab/cases |
			awk -v not="$wants_ordinary" '$2 > 0 && $1 != not'
		[ ! -e "lab/cases$suffix" ] || listed "lab/cases$suffix"
	fi
	[ $# -eq 0 ] || single
}

wanted()
{
	[ $# -gt 0 ] || { cat; return; }
	while read -r name rest; do
		for one; do
			[ "$one" != "$name" ] || echo "$name $rest"
		done
	done
}

cases "$@" | wanted "$@" >"$log/cases"
xargs -r -P 2 -L 1 lab/check-case.sh <"$log/cases"

passed=0
failed=0
while read -r name rest; do
	if read -r p f 2>/dev/null <"$log/$name.result"; then
		passed=$((passed + p)) failed=$((failed + f))
	else
		failed=$((failed + 1))
	fi
done <"$log/cases"
ls build/selftests/hyperupcall/*_test >/dev/null 2>&1 || [ $# -gt 0 ] || {
	echo "there are no KVM selftests in build/selftests/hyperupcall/"
	failed=$((failed + 1))
}
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
