#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# upstream.sh SECONDS LIST: the KVM selftests of the list, one after the other.
# Prints for each: name, how it ended, and seconds of this clock. What it said
# itself is in the results folder, NAME.log.

limit=$1
while read -r test <&4; do
	name=${test##*/}
	start=$(date +%s)
	cp "build/selftests/$test" "/run/$name" &&
		(cd /tmp && exec timeout -k 5 "$limit" "/run/$name") \
			>"/run/results/$name.log" 2>&1
	status=$?
	# timeout ends the test, but not what it has forked.
	killall -q -9 "$name"
	rm -f "/run/$name"
	case $status in
	0)		how=passed ;;
	4)		how=skipped ;;
	124|137|143)	how=late ;;
	*)		how=failed ;;
	esac
	echo "$name $how $(($(date +%s) - start)) $status"
done 4<"$2"
