#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# selftest.sh BINARY: a KVM selftest, from a tmpfs.

cp "$1" /run/selftest && exec /run/selftest
