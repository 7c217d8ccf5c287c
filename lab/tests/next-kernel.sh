# SPDX-License-Identifier: GPL-2.0
#
# For tests in which one guest kernel follows another without a reset. Sourced
# by them after lib.sh.
#
#	next_install		puts kernel and initramfs into L2's initramfs
#	next_load load|crash [ARGUMENTS]	loads them in L2
#	next_wait COMMAND LINE	the line makes the next kernel run; waits for it
#
# The initramfs of the next kernel is the usual one.

next_install()
{
	l2_install
	next=/run/next
	mkdir -p $next
	cp "$kernel" $next/bzImage
	cp $l2/initramfs $next/initramfs
	# The kernel takes one archive after another, at a multiple of 4.
	head -c $((-$(stat -c %s $l2/initramfs) & 3)) /dev/zero >>$l2/initramfs
	(cd $next && find . | cpio -o -H newc --quiet) >>$l2/initramfs
	rm -r $next
}

next_load()
{
	l2_run "kexec_file $1 /bzImage /initramfs" \
		"'console=ttyS0 loglevel=5 panic=-1 noxsave ${2-}'"
}

next_wait()
{
	echo "$*" >&8
	while IFS= read -r line <&9; do
		case $line in
		ready)
			return
			;;
		"exit "*)
			echo "this kernel goes on"
			return 1
			;;
		*)
			echo "$line"
			;;
		esac
	done
	echo "L2 is gone"
	return 1
}
