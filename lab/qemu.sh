#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Finds a qemu-system-x86_64 that lab/probe/ is content with, the installed one
# first, or else builds one from Debian's source package and patches/qemu/.
# Leaves its path in build/qemu-path.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
source=$build/qemu
own=$source/obj/qemu-system-x86_64
found=$build/qemu-path
seen=$build/qemu-probed
apt=$build/apt

options='
	--target-list=x86_64-softmmu
	--without-default-features
	--enable-tcg
	--enable-kvm
	--enable-vhost-kernel
	--enable-virtfs
	--enable-attr
	--enable-cap-ng
	--enable-slirp
	--enable-fdt=system
	--disable-install-blobs
	--disable-docs
'

# What tells one binary from another that replaces it.
identity()
{
	stat -L -c '%n %s %Y' "$1" 2>/dev/null || :
}

# use QEMU: if it has what we need
use()
{
	[ -x "$1" ] || return 1
	for device in virtio-9p-pci vhost-vsock-pci; do
		"$1" -device help 2>/dev/null | grep -q "\"$device\"" || return 1
	done
	"$root/lab/probe/probe.sh" "$1" >"$build/log/qemu-probe.log" 2>&1 || return 1
	echo "$1" >"$found"
	identity "$1" >"$seen"
	echo "qemu       uses $1"
}

# The machine's own package sources, as far as they name binary packages, for
# source packages. Nothing in /etc changes.
sources()
{
	mkdir -p "$apt/sources.list.d" "$apt/lists/partial" "$apt/cache/archives/partial"
	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -f "$list" ] || sed -n 's/^deb[ \t]/deb-src /p' "$list"
	done >"$apt/sources.list.d/source.list"
	for list in /etc/apt/sources.list.d/*.sources; do
		[ ! -f "$list" ] || awk -v RS= -v ORS='\n\n' '
			/(^|\n)Types:([ \t]+deb-src)*[ \t]+deb([ \t\n]|$)/ {
				sub(/Types:[^\n]*/, "Types: deb-src")
				print
			}' "$list"
	done >"$apt/sources.list.d/source.sources"
}

apt()
{
	apt-get -o Dir::Etc::sourcelist=/dev/null \
		-o Dir::Etc::sourceparts="$apt/sources.list.d" \
		-o Dir::State::lists="$apt/lists" -o Dir::Cache="$apt/cache" \
		-o APT::Sandbox::User=root "$@"
}

unpack()
{
	rm -rf "$source.new" "$apt"
	sources
	apt update
	cd "$apt"
	apt source --download-only qemu
	dpkg-source --no-check --no-copy -x qemu_*.dsc "$source.new"
	cd "$source.new"
	for patch in "$root"/patches/qemu/*.patch; do
		patch -p1 --fuzz=0 --no-backup-if-mismatch <"$patch"
	done
	mv "$source.new" "$source"
	rm -rf "$apt"
}

compile()
{
	mkdir -p "$source/obj"
	cd "$source/obj"
	# shellcheck disable=SC2086 # words
	[ build.ninja -nt "$root/lab/qemu.sh" ] || ../configure --cc='ccache gcc' --host-cc='ccache gcc' \
		--cxx=false $options
	ninja -j"$jobs" qemu-system-x86_64
}

case ${1-} in
--unpack)	unpack; exit ;;
--compile)	compile; exit ;;
esac

mkdir -p "$build/log"
# What was found before and has not changed needs no second look.
if [ -s "$found" ] && [ -s "$seen" ]; then
	[ "$(identity "$(cat "$found")")" != "$(cat "$seen")" ] || exit 0
fi

use "$(command -v qemu-system-x86_64)" || use "$own" && exit
[ -d "$source" ] || step qemu-source "gets QEMU's source package and patches it" \
	"$0" --unpack
step qemu "builds QEMU (10 minutes the first time, on 2 cores)" "$0" --compile
use "$own" || die "the QEMU that was built is not what we need: $(cat "$build/log/qemu-probe.log")"
