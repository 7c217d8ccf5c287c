#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Makes what L1 starts L2 with, in build/lab/: the emulator without its debug
# information, and an initramfs.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"

out=$build/lab
mkdir -p "$out/bin"

qemu=${QEMU:-$(cat "$build/qemu-path")}
if [ ! "$out/qemu" -nt "$qemu" ]; then
	strip --strip-unneeded -o "$out/qemu" "$qemu"
	ldd "$qemu" | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' >"$out/qemu.libs"
fi

for program in shootdown shootdown_check churn touch_memory kexec_file \
	hold_page; do
	source=$root/lab/$program.c
	[ -e "$source" ] || continue
	if [ ! "$out/bin/$program" -nt "$source" ]; then
		gcc -O2 -Wall -Wextra -static -pthread \
			-o "$out/bin/$program" "$source"
	fi
done

# Tells which pages are free in L2, and which ones of L2's are in L1's swap.
if [ ! -x "$out/bin/page-types" ]; then
	make -s -C "$linux/tools/mm" page-types CC='ccache gcc -static'
	cp "$linux/tools/mm/page-types" "$out/bin/"
fi

# What is in the initramfs: a path there, and the file.
list()
{
	echo "/init $root/lab/l2-init"
	echo "/bin/busybox /bin/busybox"
	echo "/bin/come-and-go $root/lab/come-and-go"
	echo "/bin/patch-text $root/lab/patch-text"
	echo "/bin/shootdown $out/bin/shootdown"
	echo "/bin/shootdown_check $out/bin/shootdown_check"
	echo "/bin/churn $out/bin/churn"
	echo "/bin/touch_memory $out/bin/touch_memory"
	echo "/bin/page-types $out/bin/page-types"
	echo "/bin/kexec_file $out/bin/kexec_file"
	echo "/bin/hold_page $out/bin/hold_page"
	echo "/hyperupcall.ko $build/guest/hyperupcall.ko"
	for module in "$build"/guest_modules/*.ko; do
		echo "/$(basename "$module") $module"
	done
}

tree=$out/initramfs.d
rm -rf "$tree"
mkdir -p "$tree/dev"
mknod "$tree/dev/console" c 5 1 2>/dev/null || :
list | while read -r path file; do
	[ -e "$file" ] || continue
	mkdir -p "$tree$(dirname "$path")"
	cp -L "$file" "$tree$path"
done
(cd "$tree" && find . | cpio -o -H newc --quiet) | gzip -1 >"$out/initramfs.new"
mv "$out/initramfs.new" "$out/initramfs"
rm -rf "$tree"
