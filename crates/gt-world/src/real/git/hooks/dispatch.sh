# Runs the project's own hook of this name as git would in an ordinary clone: same arguments, same input, same folder.

name=${0##*/}
if [ "$name" = pre-push ]; then
    echo "gt: a worker's git pushes nothing: hand your branch in with \`gt done\`, and the refinery lands it." >&2
    exit 1
fi
has_hook "$name" || exit 0

# The path from the working folder to an absolute one, in the same words.
relative() {
    from=$PWD up=
    while case $1 in "${from%/}"/*) false ;; esac; do
        from=${from%/*} up=../$up
    done
    relative=$up${1#"${from%/}"/}
}

# In a linked worktree git tells its hooks by absolute paths where repository and index are. A test that makes a
# repository of its own in a hook would then work on this one: `git init` writes into its settings, `git add` into its
# index. In an ordinary clone the same hook is told nothing, or paths that lead nowhere from another folder.
if [ -f .git ] && read -r link <.git && [ "${link#gitdir: }" -ef "${GIT_DIR:-/}" ]; then
    unset GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR
    case ${GIT_INDEX_FILE-} in
    "$git_dir/index") unset GIT_INDEX_FILE ;;
    /*) relative "$GIT_INDEX_FILE" && GIT_INDEX_FILE=$relative ;;
    esac
fi
exec "$hooks/$name" "$@"
