#!/bin/sh
# gt-hook: runs the project's own hook. Written anew when a worktree is made; changes here are lost.
#
# The town's hooks path hides the one that the project's tooling sets in the repository's own configuration, and the
# user's own. The hook found there is run as git would run it: same arguments, same input, same folder.

case $0 in
*/gt-dispatch)
    name=$1
    shift
    ;;
*) name=${0##*/} ;;
esac
if [ "$name" = pre-push ]; then
    echo "gt: a worker's git pushes nothing: hand your branch in with \`gt done\`, and the refinery lands it." >&2
    exit 1
fi
repo=${0%/gt-hooks/*}

# The bare repository sees all settings but those of this worktree.
hooks=$(git --git-dir="$repo" config --type=path --get core.hooksPath)
: "${hooks:=$repo/hooks}"
case $hooks/ in
# A tool that wrote down where git looks now: there is nothing behind it.
*/gt-hooks/ | */gt-hooks//) exit 0 ;;
esac
if [ -f "$hooks/$name" ] && [ -x "$hooks/$name" ]; then
    exec "$hooks/$name" "$@"
fi
exit 0
