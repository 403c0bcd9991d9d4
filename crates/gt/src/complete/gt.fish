# Completion of gt for fish; `gt completions --help` says how to install it.
function __gt_complete
    gt complete -- (commandline -opc) (commandline -ct) 2>/dev/null
end
for name in gt bd
    complete -c $name -f -a '(__gt_complete)'
    complete -c $name -n 'test -z "$(__gt_complete)"' -F
end
