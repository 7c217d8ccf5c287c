#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# boot.sh [options] NAME COMMAND [ARGUMENT...]: boots L1, runs COMMAND there
# and exits with its status. L1 sees this machine's files, read-only, under
# their own paths; COMMAND's output and both consoles are in build/log/NAME/.
# Its /dev/vda and /dev/vdb are empty disks that are gone afterwards.
#
#	-c CPUS		CPUs of L1 (1)
#	-m SIZE		memory of L1 (2G, 4G with VARIANT=debug)
#	-a ARGUMENTS	more for L1's kernel command line
#	-k BZIMAGE	kernel (the one that is built)
#	-t SECONDS	wall-clock limit (300), 6 times that with VARIANT=debug
#	-i		virtual clock that counts instructions, where there is TCG
#
# L1_KERNEL and QEMU in the environment replace what was built. A VARIANT is
# L1's kernel only: L2 has the ordinary one.
#
# A line in either console that lab/trouble finds fails the test, whatever
# COMMAND says. A warning of either kernel is its end, so that nothing that
# happens after it is taken for a result; -a panic_on_warn=0 lets L1 go on.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"

cpus=1
mem=$memory
append=
kernel=${L1_KERNEL:-$obj/arch/x86/boot/bzImage}
limit=300
icount=
while getopts c:m:a:k:t:i option; do
	case $option in
	c) cpus=$OPTARG ;;
	m) mem=$OPTARG ;;
	a) append=$OPTARG ;;
	k) kernel=$OPTARG ;;
	t) limit=$OPTARG ;;
	i) icount=icount ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -ge 2 ] || die "usage: boot.sh [options] NAME COMMAND [ARGUMENT...]"
name=$1
shift

log=$build/log/$name
rm -rf "$log"
mkdir -p "$log/l1"
truncate -s 4G "$log/vda"
truncate -s 128M "$log/vdb"
trap 'rm -f "$log/vda" "$log/vdb"' EXIT

guest_kernel=$kernel
[ -z "$VARIANT" ] || guest_kernel=$build/linux/obj/arch/x86/boot/bzImage

# What L1 needs to know, as shell assignments; "$@" quoted for its shell.
{
	echo "kernel='$guest_kernel' patience=$patience"
	echo "emulated=$("$root/lab/accel.sh" | grep -c 'accel tcg')"
	printf 'set --'
	for word; do
		printf " '%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")"
	done
	echo
} >"$log/l1/command"

# A kernel that boots without ACPI sees a CPU a socket.
# shellcheck disable=SC2046 # accel.sh prints words
set -- "${QEMU:-$(cat "$build/qemu-path")}" \
	$("$root/lab/accel.sh" $icount) -nodefaults -no-user-config \
	-display none -no-reboot -smp "$cpus,sockets=$cpus" -m "$mem" \
	-kernel "$kernel" -append "console=ttyS0 loglevel=5 panic=-1 panic_on_warn=1 \
root=hostroot rootfstype=9p ro \
rootflags=trans=virtio,version=9p2000.L,msize=262144,cache=loose \
init=$root/lab/l1-init $parameters $append" \
	-serial "file:$log/l1.console" \
	-fsdev local,id=hostroot,path=/,security_model=none,readonly=on,multidevs=remap \
	-device virtio-9p-pci,fsdev=hostroot,mount_tag=hostroot \
	-fsdev local,id=results,path="$log/l1",security_model=none \
	-device virtio-9p-pci,fsdev=results,mount_tag=results \
	-drive "file=$log/vda,format=raw,if=virtio,cache=unsafe" \
	-drive "file=$log/vdb,format=raw,if=virtio,cache=unsafe" \
	-device virtio-serial-pci \
	-chardev file,id=l2,path="$log/l2.console" \
	-device virtserialport,chardev=l2,name=l2.console
echo "$*" >"$log/qemu.command"

status=0
limit=$((limit * patience))
timeout -k 5 "$limit" "$@" >"$log/qemu.log" 2>&1 </dev/null || status=$?
if [ $status -eq 124 ]; then
	die "$name: no end after $limit s, see build/log/$name/"
elif [ $status -ne 0 ]; then
	cat "$log/qemu.log" >&2
	die "$name: QEMU failed with $status"
fi
"$root/lab/trouble" "$log/l1.console" "$log/l2.console" >&2 ||
	die "$name: trouble in a console, see build/log/$name/"
[ ! -s "$log/l1/leaks" ] ||
	die "$name: L1 leaks memory, see build/log/$name/l1/leaks"
[ -s "$log/l1/status" ] ||
	die "$name: L1 did not say how it ended, see build/log/$name/l1.console"
exit "$(cat "$log/l1/status")"
