#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Installs the packages of lab/packages that this machine does not have.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"

wanted()
{
	sed -e 's/#.*//' -e '/^$/d' "$root/lab/packages"
}

installed()
{
	# shellcheck disable=SC2046 # one word a package
	dpkg-query -W -f '${db:Status-Status} ${Package}\n' $(wanted) 2>/dev/null |
		sed -n 's/^installed //p'
}

missing()
{
	{ installed; installed; wanted; } | sort | uniq -u
}

if [ "${1-}" = --now ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update
	# shellcheck disable=SC2046 # one word a package
	apt-get install -y --no-install-recommends $(missing)
	exit
fi

command -v dpkg-query >/dev/null ||
	die "this is no Debian: install what lab/packages lists, then 'make kernel qemu'"

list=$(missing)
[ -n "$list" ] || exit 0
[ "$(id -u)" -eq 0 ] ||
	die "needs root to install $(echo "$list" | tr '\n' ' ')"
STEP_HINT='apt-get has to work on this machine; then run make again.' \
	step packages "installs $(echo "$list" | wc -l) packages" "$0" --now
