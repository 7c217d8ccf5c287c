# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2154
# For what compares two kernels, lab/check-kvm.sh and lab/check-bpf.sh. Sourced
# after lab/env.sh by a script that has set $check, its name, and $options, of
# lab/boot.sh. Sets $log; a file "failed" is in there if a boot has failed.

log=build/log/$check
mkdir -p "$log"
exec 9>"$log.lock"
flock -n 9 || die "another $check.sh is running here, and the logs are its"
rm -f "$log/failed"

# boot NAME VARIANT COMMAND...: on that kernel, logs in $log/NAME/
boot()
{
	name=$1
	variant=$2
	shift 2
	start=$(date +%s)
	status=0
	# shellcheck disable=SC2086 # words
	VARIANT=$variant lab/boot.sh -i -c 2 $options "$check/$name" "$@" \
		>"$log/$name.log" 2>&1 || status=$?
	[ -e "$log/$name/l1/output" ] || : >"$log/$name/l1/output"
	t=$(($(date +%s) - start))
	printf '%2d:%02d %s\n' $((t / 60)) $((t % 60)) "$name"
	[ $status -eq 0 ] || {
		tail -n 3 "$log/$name.log" | sed "s/^/$name: /"
		: >"$log/failed"
	}
}
