#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# probe.sh QEMU: does this qemu-system-x86_64 deliver an interrupt that VMRUN
# injects once, as patches/qemu/ has it? Asks probe.S, which takes a few
# seconds. Exits with 0 if it does, 1 if not, 2 if it cannot be found out.

set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

gcc -m32 -c -o "$tmp/probe.o" "$root/lab/probe/probe.S"
ld -m elf_i386 -Ttext 0x7c00 --oformat binary -o "$tmp/probe.img" "$tmp/probe.o"

# The second CPU, which never starts, makes QEMU leave the first one's loop.
status=0
# shellcheck disable=SC2046 # words
timeout 120 "$1" $("$root/lab/firmware.sh") -accel tcg,thread=single -cpu max \
	-smp 2 -m 16 -nodefaults -no-user-config -display none -no-reboot \
	-device isa-debug-exit,iobase=0xf4,iosize=4 \
	-drive file="$tmp/probe.img",format=raw >"$tmp/log" 2>&1 </dev/null ||
	status=$?

# isa-debug-exit exits with the value times two, plus one.
case $status in
3)
	echo "$1 delivers an injected interrupt once"
	;;
5)
	echo "$1 delivers an injected interrupt twice"
	exit 1
	;;
*)
	cat "$tmp/log"
	echo "$1 cannot be asked: exit status $status"
	exit 2
	;;
esac
