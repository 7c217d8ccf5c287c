#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# lab/tree.sh and lab/sync.sh: what goes from the repository to the git tree
# and back is the same, and neither loses what the other has not. Works on a
# scratch repository and a scratch tree with the real kernel's history.

root=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
linux=$tmp/build/linux
new=virt/kvm/scratch
old=kernel/bpf/Makefile
n=0

# is WHAT COMMAND...: a test
is()
{
	what=$1
	shift
	n=$((n + 1))
	if "$@" >"$tmp/out" 2>&1; then
		echo "ok $n - $what"
	else
		sed 's/^/# /' "$tmp/out"
		echo "not ok $n - $what"
	fi
}

# refuses WORDS COMMAND...: it fails and says why
refuses()
{
	words=$1
	shift
	! "$@" >"$tmp/said" 2>&1 && grep -q -e "$words" "$tmp/said" && return
	cat "$tmp/said"
	return 1
}

kgit()
{
	git -C "$linux" -c user.name=A -c user.email=a@example.org "$@"
}

commit()
{
	# Debian's .gitignore has every new file.
	kgit add -A -f
	kgit commit -q "$@"
}

apply()
{
	"$tmp/lab/tree.sh" apply
}

sync_back()
{
	"$tmp/lab/sync.sh"
}

history()
{
	kgit log --format='%T %an %at %s%n%b' base..HEAD
}

round_trip()
{
	history >"$tmp/before"
	sync_back && apply || return
	history | cmp - "$tmp/before" &&
		cmp "$tmp/$new/one.c" "$linux/$new/one.c" &&
		[ -x "$tmp/$new/run.sh" ] && [ ! -e "$tmp/$old" ]
}

# An edit here reaches the tree, and what has not changed keeps its time.
only_changed()
{
	touch -d '2001-01-01' "$linux/$old"
	echo 'int y;' >>"$tmp/$new/one.c"
	apply && grep -q 'int y' "$linux/$new/one.c" &&
		[ "$(date -r "$linux/$old" +%Y)" = 2001 ]
}

keep_both()
{
	KEEP=1 sync_back && apply &&
		grep -q mine "$linux/$old" && grep -q kept "$linux/$new/one.c"
}

git init -q "$tmp"
mkdir "$tmp/patches"
cp -r "$root/lab" "$tmp"
git clone -q --shared --no-checkout "$root/build/linux" "$linux"
kgit tag -f base "$(git -C "$root/build/linux" rev-parse refs/tags/base)" >/dev/null
kgit sparse-checkout set --no-cone "/$old" "/$new/" >/dev/null
kgit checkout -q -B work refs/tags/base

mkdir -p "$linux/$new"
sed -i '1a # ünï' "$linux/$old"
echo 'int x;' >"$linux/$new/one.c"
echo '#!/bin/sh' >"$linux/$new/run.sh"
chmod +x "$linux/$new/run.sh"
commit -m 'KVM: One of a long subject that is cut in the name of its file' -m '- a list
  of things

Signed-off-by: Ä <a@example.org>'
sed -i '$a # more' "$linux/$old"
commit -m 'bpf: Two'
echo 'int z;' >"$linux/$new/two.c"
commit -m 'KVM: Three, a new file only'

is 'commits go to the repository and come back the same' round_trip
is 'a second time changes nothing' round_trip
is 'an edit in the repository touches only what it changes' only_changed

echo '# mine' >>"$linux/$old"
is 'apply keeps what is not committed' refuses 'uncommitted' apply
commit -m 'bpf: Four'
is 'apply keeps commits that are not in the repository' refuses 'make sync' apply
echo 'int kept;' >>"$tmp/$new/one.c"
is 'sync keeps edits that are not in the tree' refuses 'both' sync_back
is 'with KEEP=1 both edits survive' keep_both
is 'a new commit goes to the repository' round_trip

echo 'int q;' >>"$linux/$new/one.c"
commit -m 'KVM: Five'
is 'a new file belongs to one commit' refuses 'autosquash' sync_back
kgit reset -q --hard HEAD^
kgit rm -q "$new/two.c"
kgit commit -q --allow-empty -m 'KVM: Six'
is 'a commit that takes a new file back is refused, too' refuses 'autosquash' sync_back
kgit reset -q --hard HEAD~2
is 'a commit that is gone there goes here' round_trip

echo >"$tmp/$new/three.c"
is 'a new file in no commit is named' refuses "no commit: $new/three.c" apply
rm "$tmp/$new/three.c"
mkdir -p "$tmp/${old%/*}"
cp "$linux/$old" "$tmp/$old"
sed -i "\$a \\	$old" "$tmp/patches/series"
is 'a copy of a file of the kernel is refused' refuses 'with a patch' apply
rm "$tmp/$old"
sed -i '$d' "$tmp/patches/series"
touch "$tmp/patches/0009-odd.patch"
is 'a patch that is not in the list is named' refuses '0009-odd' apply
rm "$tmp/patches/0009-odd.patch"
sed -i 's/^ obj-y/ obj-z/' "$tmp"/patches/0001-*.patch
is 'a patch that does not apply is named' refuses '0001-.* does not apply' apply

echo "1..$n"
