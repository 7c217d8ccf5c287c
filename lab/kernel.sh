#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The kernel, from Debian's source package to bzImage, in build/linux:
#
#	kernel.sh unpack	the pristine source as a git tree, tag base
#	kernel.sh pristine	a second checkout of it, in build/base
#	kernel.sh build		what is checked out there, into build/linux/obj
#	kernel.sh headers	so much of it that modules compile
#
# lab/tree.sh puts the series on top in between. A step whose inputs have not
# changed costs nothing. With VARIANT, see lab/env.sh, build makes another
# kernel of the same source.

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
tarball=${KERNEL_TARBALL:-/usr/src/linux-source-6.12.tar.xz}

unpack()
{
	rm -rf "$linux.new"
	mkdir -p "$linux.new"
	tar -xf "$tarball" -C "$linux.new" --strip-components=1
	cd "$linux.new"
	git init -q -b series
	git config gc.auto 0
	git config core.untrackedCache true
	git add -A -f
	GIT_AUTHOR_DATE='2024-11-17T22:15:08Z' GIT_COMMITTER_DATE='2024-11-17T22:15:08Z' \
		git -c user.name=Debian -c user.email=debian-kernel@lists.debian.org \
		commit -q -m "Linux $(kernelversion) as Debian ships it"
	git tag base
	unignore
	mv "$linux.new" "$linux"
}

# Debian's .gitignore ignores every new file. Ours does not, and git does not
# see that it differs.
unignore()
{
	git update-index --skip-worktree .gitignore
	sed -i -e '\|^/\*$|d' -e '\|^!/debian/$|d' .gitignore
}

kernelversion()
{
	awk '$2 == "=" && n < 3 { printf "%s%s", n++ ? "." : "", $3 }' Makefile
}

# The pristine source once more, in build/base.
check_out_base()
{
	[ ! -e "$build/base/.git" ] || return 0
	git -C "$build/linux" worktree prune
	git -C "$build/linux" worktree add -q --detach "$build/base" refs/tags/base
}

# The commit BEFORE of build/linux, in build/before.
check_out_before()
{
	[ -n "${BEFORE-}" ] || die "BEFORE has to name a commit of build/linux"
	git -C "$build/linux" worktree prune
	[ -e "$build/before/.git" ] ||
		git -C "$build/linux" worktree add -q --detach "$build/before" "$BEFORE"
	git -C "$build/before" checkout -q --detach "$(git -C "$build/linux" rev-parse "$BEFORE")"
}

# git sees no objects of variants.
exclude_objects()
{
	grep -qx '/obj\*' "$build/linux/.git/info/exclude" ||
		echo '/obj*' >>"$build/linux/.git/info/exclude"
}

# Everything that decides the configuration; a changed file that nobody has
# committed counts too.
config_inputs()
{
	fragments
	git -C "$linux" ls-files -s -- '*Kconfig*'
	git -C "$linux" diff HEAD -- '*Kconfig*'
}

# What passes the files to count to kbuild, which knows them by their path from
# the Makefile: KVM's is in the architecture's folder.
gcov_options()
{
	(cd "$root" && find arch kernel mm virt -name '*.c' | sort) |
		sed -e 's,^virt/kvm/,../../../&,' -e '/^\.\./!s,.*/,,' \
			-e 's,\(.*\)c$,GCOV_PROFILE_\1o=y,'
}

# Everything that decides the image.
build_inputs()
{
	[ -z "$kmake_options" ] || echo "$kmake_options"
	cat "$obj/.config"
	git -C "$linux" rev-parse 'HEAD^{tree}'
	git -C "$linux" diff HEAD
	(cd "$linux" && git ls-files -oz --exclude-standard | xargs -0 -r sha256sum)
	gcc --version
	pahole --version
}

digest()
{
	"$1" | sha256sum
}

# unchanged STAMP INPUTS: was that made from what is there now?
unchanged()
{
	[ -f "$obj/$1" ] && [ "$(digest "$2")" = "$(cat "$obj/$1")" ]
}

# What the fragments want: of an option that is in both, the last counts.
wanted()
{
	fragments | awk -F = '/^CONFIG_/ { want[$1] = $0 }
		END { for (name in want) print want[name] }'
}

configure()
{
	kmake tinyconfig
	wanted >>"$obj/.config"
	kmake olddefconfig

	wanted >"$obj/.wanted"
	bad=
	while read -r want; do
		case $want in
		CONFIG_*=n)
			! grep -q "^${want%=n}=" "$obj/.config" || bad="$bad $want"
			;;
		CONFIG_*)
			grep -qxF "$want" "$obj/.config" || bad="$bad $want"
			;;
		esac
	done <"$obj/.wanted"
	[ -z "$bad" ] || die "olddefconfig did not keep$bad: a dependency is missing in configs/"
	digest config_inputs >"$obj/.hyperupcall-config"
}

# The inputs are read before, so that an edit during the build starts the next.
compile()
{
	inputs=$(digest build_inputs)
	kmake bzImage vmlinux modules
	echo "$inputs" >"$obj/.hyperupcall-build"
}

prepare()
{
	inputs=$(digest build_inputs)
	kmake modules_prepare
	echo "$inputs" >"$obj/.hyperupcall-headers"
}

[ "$VARIANT" != coverage ] || kmake_options=$(gcov_options)
case ${1-} in
unpack)
	[ ! -e "$linux/.git" ] || exit 0
	[ -r "$tarball" ] || die "no $tarball: run lab/install.sh"
	step unpack "unpacks the kernel source into build/linux" "$0" --unpack
	;;
build | headers)
	exclude_objects
	case $VARIANT in
	base | bpf-base)	check_out_base ;;
	before)			check_out_before ;;
	esac
	mkdir -p "$obj"
	unchanged .hyperupcall-config config_inputs ||
		step "config$suffix" "configures the kernel" "$0" --configure
	if [ "$1" = headers ]; then
		unchanged .hyperupcall-headers build_inputs ||
			step "headers$suffix" "prepares a kernel for modules" \
				"$0" --prepare
		exit 0
	fi
	unchanged .hyperupcall-build build_inputs ||
		step "kernel$suffix" "builds the kernel (20 minutes the first time, on 2 cores)" \
			"$0" --compile
	;;
pristine)	exclude_objects; check_out_base ;;
--unpack)	unpack ;;
--configure)	configure ;;
--compile)	compile ;;
--prepare)	prepare ;;
*)		die "usage: kernel.sh unpack | pristine | build | headers" ;;
esac
