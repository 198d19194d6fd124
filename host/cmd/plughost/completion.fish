# fish completion for plughost. For this shell only:
#     plughost completion fish | source
# For every shell to come:
#     plughost completion fish > ~/.config/fish/completions/plughost.fish
function __plughost_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete -- $words[2..-1] 2>/dev/null
end
complete -c plughost -f -a '(__plughost_complete)'
