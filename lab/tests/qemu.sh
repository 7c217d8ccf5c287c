#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The QEMU in use delivers an interrupt that VMRUN injects once.

root=$(cd "$(dirname "$0")/../.." && pwd)
if "$root/lab/probe/probe.sh" "${QEMU:-$(cat "$root/build/qemu-path")}"; then
	echo "ok 1 - VMRUN injects an interrupt once"
else
	echo "not ok 1 - VMRUN injects an interrupt once"
fi
echo 1..1
