# SPDX-License-Identifier: GPL-2.0
#
# A Linux guest in L1. Sourced by what runs there; $lab is the folder lab/,
# $kernel the kernel image, $emulated whether L1's CPU is an emulated one, and
# $patience how much longer than usual things take: a vCPU that loads a program
# does nothing else meanwhile.
#
#	l2_start VCPUS [CPU FLAGS]	boots one, returns when it takes commands
#	l2_launch VCPUS [CPU FLAGS]	starts the emulator, and does not wait
#	l2_run COMMAND LINE		runs it in L2; its output and status
#	l2_answer			those of a line that was sent before
#	l2_mark WORD			called when COMMAND asks for it; redefine
#	l2_monitor COMMAND		says it to the monitor
#	l2_asks COMMAND			says it, and prints what the monitor answers
#	l2_wait				waits for the next "ready": a reboot
#	l2_stat NAME			a statistic of KVM for this VM, or nothing
#	l2_stop				ends it
#
# Before l2_start L2_MEMORY, L2_OPTIONS and L2_WRAPPER may be set: its memory,
# more options for the emulator, and a command that runs it; and L2_APPEND to
# kernel parameters.

l2=/run/l2
parameter=/sys/module/kvm/parameters/hyperupcall
share=/sys/module/kvm/parameters/hyperupcall_reclaim_percent
# An L2 that is gone is an error of whoever talks to it.
trap '' PIPE

# A question takes an emulated processor ten times as long as another one.
let_reclaim_ask()
{
	[ ! -e $share ] || [ "$emulated" -eq 0 ] || echo 100 >$share
}

# What is used while something is measured must not come over 9p. QEMU does not
# know KVM_CAP_HYPERUPCALL: the module parameter turns hyperupcalls on.
l2_install()
{
	[ -d $l2/lib ] && return
	mkdir -p $l2/lib $l2/firmware
	cp "$lab/../build/lab/qemu" $l2/qemu
	cp "$kernel" $l2/bzImage
	cp "$lab/../build/lab/initramfs" $l2/
	cp "$lab/../build/lab/bin/page-types" $l2/
	for lib in $(sed 's/ .*//' "$lab/../build/lab/qemu.libs"); do
		cp "$lib" $l2/lib/
	done
	for file in bios-256k.bin kvmvapic.bin linuxboot_dma.bin; do
		cp "$(ls /usr/share/seabios/$file /usr/share/qemu/$file \
			2>/dev/null | head -n 1)" $l2/firmware/
	done
	# The kernel without the series does not have it.
	[ ! -e $parameter ] || echo 2 >$parameter
	let_reclaim_ask
	mkfifo $l2/in $l2/out $l2/monitor.in $l2/monitor.out
}

l2_console()
{
	port=$(grep -lx l2.console /sys/class/virtio-ports/*/name)
	port=${port%/name}
	echo "/dev/${port##*/}"
}

l2_launch()
{
	vcpus=$1
	flags=${2-}
	l2_install
	# shellcheck disable=SC2086 # words
	LD_LIBRARY_PATH=$l2/lib ${L2_WRAPPER-} $l2/qemu \
		-L $l2/firmware -nodefaults -no-user-config -display none \
		-machine pc,accel=kvm,mem-merge=off -smp "$vcpus" \
		-m "${L2_MEMORY-384M}" ${L2_OPTIONS-} \
		-cpu "host,migratable=off$flags" \
		-kernel $l2/bzImage -initrd $l2/initramfs \
		-append "console=ttyS0 loglevel=5 panic=-1 panic_on_warn=1 noxsave \
rcupdate.rcu_cpu_stall_timeout=$((60 * patience)) ${L2_APPEND-}" \
		-chardev "file,id=console,path=$(l2_console),append=on" \
		-serial chardev:console \
		-chardev stdio,id=control,signal=off \
		-device virtio-serial-pci \
		-device virtserialport,chardev=control,name=control \
		-chardev pipe,id=monitor,path=$l2/monitor \
		-mon chardev=monitor,mode=readline \
		<$l2/in >$l2/out 2>$l2/qemu.log &
	l2_pid=$!
	exec 8>$l2/in 9<$l2/out
	cat $l2/monitor.out >$l2/monitor.log &
	exec 7>$l2/monitor.in
}

l2_start()
{
	l2_launch "$@"
	l2_wait
}

l2_wait()
{
	while read -r line <&9; do
		[ "$line" = ready ] && return
	done
	cat $l2/qemu.log
	echo "L2 is gone"
	return 1
}

l2_mark()
{
	:
}

l2_answer()
{
	while IFS= read -r line <&9; do
		case $line in
		"| "*)
			echo "${line#| }"
			;;
		"mark "*)
			l2_mark "${line#mark }"
			echo ok >&8
			;;
		"exit "*)
			return "${line#exit }"
			;;
		*)
			echo "L2 said: $line"
			return 1
			;;
		esac
	done
	cat $l2/qemu.log
	echo "L2 is gone"
	return 1
}

l2_run()
{
	echo "$*" >&8
	l2_answer
}

l2_monitor()
{
	echo "$*" >&7
}

# A command that there is not ends the answer.
l2_asks()
{
	from=$(($(stat -c %s $l2/monitor.log) + 1))
	l2_monitor "$*"
	l2_monitor end-of-answer
	for _ in $(seq 600); do
		tail -c +$from $l2/monitor.log | grep -q "unknown command" && break
		sleep 0.1
	done
	tail -c +$from $l2/monitor.log | tr -d '\r'
}

l2_stat()
{
	cat /sys/kernel/debug/kvm/"$l2_pid"-*/"$1" 2>/dev/null
}

l2_stop()
{
	l2_monitor quit
	wait "$l2_pid"
	exec 7>&- 8>&- 9<&-
}
