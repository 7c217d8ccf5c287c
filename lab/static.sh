#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# What can be said of the kernel side without running it, of what is checked out
# in build/linux:
#
#	- sparse and gcc with W=1 find nothing in the folders that the series
#	  touches that they do not find in the pristine source, too;
#	- the project's kernel-doc comments are well-formed;
#	- Sphinx has nothing to say about the project's documents.

# shellcheck disable=SC2030,SC2031 # each tree has its $linux and $obj
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/lab/env.sh"
. "$root/lab/overlay.sh"
out=$build/static
# checkpatch.pl's python3 and Sphinx's: the distribution's, with its packages.
PATH=/usr/bin:$PATH

# The folders with C files that the series changes. What is in virt/kvm is
# built from KVM's folder of the architecture.
folders()
{
	kgit diff --name-only $base -- '*.c' ':!tools' ':!samples' |
		sed -e 's,/[^/]*$,/,' -e 's,^virt/kvm/.*,arch/x86/kvm/,' | sort -u
}

project_files()
{
	overlay_files | grep -E "$1" | grep -vE '^(tools|samples)/'
}

# warnings TREE FOLDER...: what sparse and W=1 say. All of it each time: gcc says
# nothing of what it need not compile, and ccache makes that cheap.
warnings()
(
	linux=$1
	obj=$linux/obj-static
	shift
	mkdir -p "$obj"
	if ! fragments | cmp -s - "$obj/.fragments"; then
		kmake -s tinyconfig
		fragments >>"$obj/.config"
		kmake -s olddefconfig
		fragments >"$obj/.fragments"
	fi
	kmake -s prepare
	for folder; do
		[ ! -d "$obj/$folder" ] || find "$obj/$folder" -name '*.o' -delete
	done
	kmake -k C=2 W=1 "$@"
)

# Nothing of these changes what is found in the pristine source.
base_inputs()
{
	kgit rev-parse $base
	fragments
	folders
	gcc --version
	sparse --version
}

# FILE:LINE:COLUMN: WHAT, with paths from the root of the kernel. sparse does not
# see where a guard of <linux/cleanup.h> unlocks.
findings()
{
	sed -n -e '/warning: context imbalance/d' -e 's,^\(\.\./\)*,,' -e 's,arch/x86/kvm/\.\./\.\./\.\./,,' \
		-e '/^[^ ]*:[0-9]*:[0-9]*: \(warning\|error\|fatal error\):/p' "$1"
}

# What is only in the second: a line number says nothing, how often does, but
# for headers, which are read often.
new_findings()
{
	awk '
		{
			split($1, at, ":")
			key = at[1] substr($0, length($1) + 1)
		}
		FNR == NR { old[key]++; next }
		at[1] ~ /\.h$/ ? !(key in old) : old[key]-- <= 0
	' "$1" "$2" | sort -u
}

compile()
{
	mkdir -p "$out"
	# shellcheck disable=SC2046 # one word a folder
	set -- $(folders)
	now=$(base_inputs | sha256sum)
	if [ "$now" != "$(cat "$out/base.inputs" 2>/dev/null)" ]; then
		"$root/lab/kernel.sh" pristine
		warnings "$build/base" "$@" >"$out/base.log" 2>&1
		echo "$now" >"$out/base.inputs"
	fi
	warnings "$linux" "$@" >"$out/series.log" 2>&1 || {
		cat "$out/series.log"
		die "the folders that the series touches do not build"
	}
	for which in base series; do
		findings "$out/$which.log" >"$out/$which"
	done
	new_findings "$out/base" "$out/series" >"$out/new"
	cat "$out/new"
	[ ! -s "$out/new" ]
}

kernel_doc()
{
	# shellcheck disable=SC2046 # one word a file
	(cd "$linux" && scripts/kernel-doc -none -Werror $(project_files '\.[ch]$'))
}

documents()
{
	obj=$linux/obj-static
	# Sphinx says nothing of what it need not read again.
	rm -rf "$obj/Documentation/output"
	kmake htmldocs SPHINXDIRS=virt >"$out/htmldocs.log" 2>&1 || {
		cat "$out/htmldocs.log"
		return 1
	}
	[ -s "$obj/Documentation/output/virt/hyperupcall.html" ] ||
		die "htmldocs made no hyperupcall.html"
	project_files '^(Documentation|.*\.h$)' >"$out/files"
	! grep -F -f "$out/files" "$out/htmldocs.log"
}

case ${1-} in
--compile)	compile; exit ;;
--kernel-doc)	kernel_doc; exit ;;
--documents)	documents; exit ;;
esac
status=0
step static "runs sparse and gcc W=1, on the pristine source, too" \
	"$0" --compile || status=1
step kernel-doc "reads the kernel-doc comments" "$0" --kernel-doc || status=1
step htmldocs "makes the documents of virt/" "$0" --documents || status=1
[ $status -ne 0 ] ||
	echo "static     sparse, W=1, kernel-doc and htmldocs have nothing new to say"
exit $status
