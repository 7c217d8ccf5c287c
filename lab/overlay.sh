# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2154
# What lab/tree.sh and lab/sync.sh both know of the two places a kernel change
# can be in: this repository and the commits base..HEAD in build/linux. Sourced
# after lab/env.sh.

base=refs/tags/base
# Where the two places were last the same.
applied=refs/hyperupcall/applied
patches=$root/patches

kgit()
{
	git -C "$linux" "$@"
}

# The repository's new kernel files: what lies in a folder that the kernel has.
overlay_files()
{
	(
		cd "$root" || exit
		# shellcheck disable=SC2046 # one word a folder
		set -- $(kgit ls-tree -d --name-only $base)
		for dir; do
			shift
			[ ! -d "$dir" ] || set -- "$@" "$dir"
		done
		[ $# -eq 0 ] || git ls-files -co --exclude-standard -- "$@" |
			while read -r file; do
				[ ! -f "$file" ] || echo "$file"
			done
	) | sort -u
}

# patches/series, one line a commit: PATCH FILE-OR-FOLDER...
series()
{
	awk '
		{ sub(/#.*/, "") }
		!NF { next }
		/^[^ \t]/ && line { print line; line = "" }
		{ for (i = 1; i <= NF; i++) line = line (line ? " " : "") $i }
		END { if (line) print line }
	' "$patches/series"
}

in_base()
{
	kgit cat-file -e "$base:$1" 2>/dev/null
}

# What is the same in two histories that differ in nothing but committers.
history()
{
	kgit log --reverse --format='%T %an <%ae> %at%n%s%n%b' "$base..$1"
}

same_history()
{
	[ "$(history "$1")" = "$(history "$2")" ]
}

on_base()
{
	kgit merge-base --is-ancestor $base "$1"
}

# Is an uncommitted change in build/linux?
dirty()
{
	[ -n "$(kgit status --porcelain)" ]
}
