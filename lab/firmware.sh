#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Prints the QEMU arguments that name the firmware of the distribution's
# packages: a QEMU built from Debian's source has none of its own.

for folder in /usr/share/qemu /usr/share/seabios; do
	[ ! -d $folder ] || printf '%s ' "-L $folder"
done
