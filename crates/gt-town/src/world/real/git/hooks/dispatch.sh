# Runs the project's own hook of this name as git would: same arguments, same input, same folder.

name=${0##*/}
if [ "$name" = pre-push ]; then
    echo "gt: a worker's git pushes nothing: hand your branch in with \`gt done\`, and the refinery lands it." >&2
    exit 1
fi
has_hook "$name" || exit 0
exec "$hooks/$name" "$@"
