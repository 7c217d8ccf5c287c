#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# Checks the series in patches/upstream/, which mend the kernel of today and go
# to its lists without the rest, on Debian's package of a current kernel's
# source. Of each patch:
#
#	- git am takes it, on the pristine source and the patches before it;
#	- checkpatch.pl --strict finds nothing;
#	- the objects that it touches compile, the BPF programs of selftests too.
#
# The source stays in build/upstream/linux, with the tag base. $UPSTREAM is the
# version to get, $DEBIAN where from, if not from where this machine has Debian. The
# last line is "N passed, N failed".

set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
UPSTREAM=${UPSTREAM:-7.3}
upstream=$build/upstream
linux=$upstream/linux
obj=$linux/obj
apt=$upstream/apt
result=$upstream/result
bpf=tools/testing/selftests/bpf
clang=${CLANG:-$(command -v clang-19 || command -v clang || :)}
# checkpatch.pl and bpf_doc.py want the distribution's python3, with its packages.
PATH=/usr/bin:$PATH

# Where this machine has Debian from, if it does.
mirror()
{
	{
		sed -n 's/^deb[ \t]*\(\[[^]]*\]\)\{0,1\}[ \t]*\([^ \t]*\).*/\2/p' \
			/etc/apt/sources.list /etc/apt/sources.list.d/*.list
		sed -n 's/^URIs:[ \t]*\([^ \t]*\).*/\1/p' /etc/apt/sources.list.d/*.sources
	} 2>/dev/null | grep '/debian/*$' | head -n 1
}

# apt TOOL ARGUMENTS...: with package lists of its own, nothing in /etc changes
apt()
{
	tool=$1
	shift
	"$tool" -o Dir::Etc::sourcelist="$apt/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State="$apt/state" -o Dir::Cache="$apt/cache" \
		-o APT::Sandbox::User=root "$@"
}

# The package of that version, or else the newest that there is.
package()
{
	if apt apt-cache policy "linux-source-$UPSTREAM" | grep -q 'Candidate: [0-9]'; then
		echo "linux-source-$UPSTREAM"
		return
	fi
	apt apt-cache pkgnames linux-source- | grep -xE 'linux-source-[0-9]+\.[0-9]+' |
		sort -V | tail -n 1
}

fetch()
{
	rm -rf "$apt" "$linux.new" "$upstream/package"
	mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$linux.new"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	[ -e "$keyring" ] || keyring=
	debian=${DEBIAN:-$(mirror)}
	[ -n "$debian" ] || die "apt has no Debian here: name one with DEBIAN=URL"
	echo "deb${keyring:+ [signed-by=$keyring]} $debian" \
		"trixie-backports main" >"$apt/sources.list"
	apt apt-get update
	name=$(package)
	[ -n "$name" ] || die "trixie-backports has no linux-source package"
	[ "$name" = "linux-source-$UPSTREAM" ] ||
		echo "there is no linux-source-$UPSTREAM any more, takes $name"
	(cd "$upstream" && rm -f ./*.deb && apt apt-get download "$name")
	dpkg-deb -x "$upstream"/*.deb "$upstream/package"
	tar -xf "$upstream/package/usr/src/$name.tar.xz" -C "$linux.new" --strip-components=1
	rm -rf "$apt" "$upstream/package"

	cd "$linux.new"
	git init -q -b series
	git config gc.auto 0
	git config user.name Debian
	git config user.email debian-kernel@lists.debian.org
	git add -A -f
	git commit -q -m "$name $(dpkg-deb -f "$upstream"/*.deb Version)"
	git tag base
	echo '/obj' >>.git/info/exclude
	mv "$linux.new" "$linux"
}

# report WHAT COMMAND...: one line in $result
report()
{
	what=$1
	shift
	echo "--- $what"
	if "$@"; then
		echo "ok $what" >>"$result"
	else
		echo "not ok $what" >>"$result"
		return 1
	fi
}

ugit()
{
	git -C "$linux" "$@"
}

# But for what it cannot know: the source has no history. All programs in
# selftests that are assembly end a line with a parenthesis.
checkpatch()
{
	! (cd "$linux" && scripts/checkpatch.pl --strict --terse --show-types --showfile \
		--no-summary --ignore FILE_PATH_CHANGES,UNKNOWN_COMMIT_ID "$1") |
		grep -v '/progs/verifier_[^:]*:[0-9]*: CHECK:OPEN_ENDED_LINE:'
}

configure()
{
	mkdir -p "$obj"
	kmake -s tinyconfig
	grep -v '^#' "$root/configs/upstream.config" >"$obj/.wanted"
	cat "$obj/.wanted" >>"$obj/.config"
	kmake -s olddefconfig
	missing=$(grep -vxF -f "$obj/.config" "$obj/.wanted" || :)
	[ -z "$missing" ] || die "olddefconfig did not keep $missing"
	kmake -s prepare
}

# The programs need no kernel's types: vmlinux.h is in none of the headers here.
compile_program()
{
	mkdir -p "$obj/bpf-include/bpf" "$obj/progs"
	(cd "$linux" && scripts/bpf_doc.py --header --file include/uapi/linux/bpf.h) \
		>"$obj/bpf-include/bpf/bpf_helper_defs.h"
	cp "$linux"/tools/lib/bpf/*.h "$obj/bpf-include/bpf/"
	"$clang" --target=bpf -mcpu=v3 -mlittle-endian -g -O2 -Wall -Werror -std=gnu11 \
		-D__TARGET_ARCH_x86 -fno-strict-aliasing -fms-extensions \
		-Wno-microsoft-anon-tag -Wno-compare-distinct-pointer-types \
		-Wno-initializer-overrides \
		-I"$obj/bpf-include" -I"$linux/$bpf" \
		-I"$linux/tools/include/uapi" -I"$linux/tools/include" \
		-idirafter "/usr/include/$(gcc -dumpmachine)" -idirafter /usr/include \
		-c "$linux/$1" -o "$obj/progs/$(basename "$1" .c).o"
}

# compile PATCH: what the last commit touches
compile()
{
	for file in $(ugit diff-tree -r --no-commit-id --name-only --diff-filter=d HEAD); do
		case $file in
		$bpf/progs/*.c)
			report "$1: clang compiles $file" compile_program "$file" || :
			;;
		tools/*)
			echo "$1: does not compile $file, which wants all of the selftests"
			;;
		*.c)
			report "$1: compiles ${file%.c}.o" kmake -s "${file%.c}.o" || :
			;;
		*)
			echo "$1: $file is nothing to compile by itself"
			;;
		esac
	done
}

check()
{
	rm -f "$result"
	ugit am --abort 2>/dev/null || :
	ugit checkout -q -f --detach base
	report "configures and prepares" configure || return 0
	for series in "$root"/patches/upstream/*/; do
		ugit checkout -q -f --detach base
		for patch in "$series"*.patch; do
			name=$(basename "$series")/$(basename "$patch" .patch)
			report "$name: checkpatch.pl --strict" checkpatch "$patch" || :
			report "$name: git am" ugit am -q "$patch" || {
				ugit am --abort
				break
			}
			compile "$name"
		done
	done
	ugit checkout -q -f --detach base
}

case ${1-} in
--fetch)	fetch; exit ;;
--check)	check; exit ;;
"")		;;
*)		die "usage: upstream.sh" ;;
esac

[ -e "$linux/.git" ] ||
	step upstream-source "gets a current kernel's source into build/upstream" "$0" --fetch
step upstream "checks patches/upstream on $(git -C "$linux" log -1 --format=%s base)" "$0" --check
grep '^not ok ' "$result" || :
awk '{ $1 == "ok" ? passed++ : failed++ }
	END { printf "%d passed, %d failed\n", passed, failed; exit failed || !passed }' "$result"
