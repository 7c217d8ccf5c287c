#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# accel.sh [icount]: prints the QEMU arguments that depend on what this machine
# can do: KVM where it can nest, TCG otherwise; and the machine, the CPU and
# the firmware that go with it. With icount, and TCG, the virtual clock counts
# instructions. L1_CPU in the environment is another CPU for TCG.

set -eu
lab=$(dirname "$0")

# The device node alone says nothing: it exists where the CPU has no virtual
# machines, too.
nests()
{
	[ -r /dev/kvm ] && [ -w /dev/kvm ] || return 1
	grep -q -w -e svm -e vmx /proc/cpuinfo || return 1
	cat /sys/module/kvm_amd/parameters/nested \
		/sys/module/kvm_intel/parameters/nested 2>/dev/null |
		grep -q '[1Y]'
}

"$lab/firmware.sh"
if nests; then
	echo '-machine pc -accel kvm -cpu host'
else
	# thread=multi loses interrupts of nested guests.
	echo "-machine pc -accel tcg,thread=single -cpu ${L1_CPU:-EPYC}"
	[ "${1-}" != icount ] ||
		echo '-icount shift=2,sleep=off -seed 1 -rtc clock=vm'
fi
