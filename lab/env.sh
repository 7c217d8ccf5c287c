# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# Where things are, and how they are built. Sourced by the scripts in lab/;
# each sets $root to the repository before.

build=$root/build
linux=$build/linux
# VARIANT is the name of another kernel than the ordinary one: configs/ has what
# it wants on top of configs/kernel.config, and what for.
VARIANT=${VARIANT-}
suffix=${VARIANT:+-$VARIANT}
case $VARIANT in
# These are the pristine source, the others have the ordinary one's.
base | bpf-base)	linux=$build/base ;;
# A commit that the caller names.
before)			linux=$build/before ;;
esac
# In the tree, so that ccache serves all of them.
obj=$linux/obj$suffix
kmake_options=
# Memory of L1, how much longer than the ordinary one it takes, and kernel
# parameters that save time: ACPI's allocations alone are a quarter of the boot.
memory=2G
patience=1
parameters=
case $VARIANT in
debug)
	memory=4G patience=8
	parameters='acpi=off mitigations=off'
	;;
esac
jobs=${JOBS:-$(nproc)}
# lab/qemu.sh has left it there, unless the caller has one.
QEMU=${QEMU:-$(cat "$build/qemu-path" 2>/dev/null || :)}

# Objects depend on no clone's path, user or time of day, so that ccache serves
# every clone on the machine.
export CCACHE_BASEDIR="$build" CCACHE_NOHASHDIR=1
export CCACHE_DIR="${CCACHE_DIR:-$HOME/.cache/ccache}"
export KBUILD_BUILD_TIMESTAMP='Mon Nov 23 00:00:00 UTC 2026'
export KBUILD_BUILD_USER=hyperupcall KBUILD_BUILD_HOST=kvm
export LC_ALL=C

die()
{
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# step NAME WHAT COMMAND...: see lab/step.sh
step()
{
	"$root/lab/step.sh" "$@"
}

# bpf-base has bpf's fragment and base's.
fragments()
(
	cd "$root/configs" || exit
	case $VARIANT in
	'')		cat kernel.config ;;
	bpf-base)	cat kernel.config bpf.config base.config ;;
	*)		cat kernel.config "$VARIANT.config" ;;
	esac
)

# kmake ARGUMENTS...: make in the kernel tree, objects in $obj
kmake()
{
	# shellcheck disable=SC2086 # words
	make -C "$linux" O="$obj" LOCALVERSION= CC='ccache gcc' \
		HOSTCC='ccache gcc' -j"$jobs" $kmake_options "$@"
}
