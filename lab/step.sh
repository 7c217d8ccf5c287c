#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# step.sh NAME WHAT COMMAND...: runs one long step of the build. Says what it
# does, for how long it has been running and where its log is; if it fails,
# shows the end of the log and what to do. $STEP_HINT replaces the advice.

set -u
root=$(cd "$(dirname "$0")/.." && pwd)
name=$1
what=$2
shift 2
log=build/log/$name.log

mkdir -p "$root/build/log"
start=$(date +%s)

elapsed()
{
	t=$(($(date +%s) - start))
	printf '%d:%02d' $((t / 60)) $((t % 60))
}

say()
{
	printf '%-10s %s, %s' "$name" "$what" "$1"
}

# On a terminal one line that counts; elsewhere, in a CI log, a line now and
# then. The sleep must not hold our output open once the step is over.
tick()
{
	n=0
	while sleep 1 >/dev/null 2>&1; do
		n=$((n + 1))
		if [ -t 1 ]; then
			printf '\r%s ' "$(say "$(elapsed), log $log")"
		elif [ $((n % 30)) -eq 0 ]; then
			printf '%s\n' "$(say "$(elapsed)")"
		fi
	done
}

[ -t 1 ] || printf '%s\n' "$(say "log $log")"
tick &
ticker=$!
trap 'kill $ticker 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

"$@" >"$root/$log" 2>&1 </dev/null
status=$?

kill $ticker 2>/dev/null
wait $ticker 2>/dev/null
trap - EXIT
[ -t 1 ] && printf '\r\033[K'

if [ $status -ne 0 ]; then
	printf '%s\n\n' "$(say "failed after $(elapsed)")"
	# What failed can be far above the end of a parallel build's log.
	{
		grep -E 'error: |\*\*\*|cannot |No such file' "$root/$log" | head -n 10
		echo ...
		tail -n 15 "$root/$log"
	} | cut -c 1-180 | sed 's/^/    /'
	printf '\nThe whole log is %s.\n%s\n' "$log" \
		"${STEP_HINT:-Mend that and run the same make again: it goes on from here.}"
	exit $status
fi
printf '%s\n' "$(say "$(elapsed)")"
