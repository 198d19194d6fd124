# fish completion for plughost. For this shell only:
#     plughost completion fish | source
# For every shell to come:
#     plughost completion fish > ~/.config/fish/completions/plughost.fish
function __plughost_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if set -q found[1]
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c plughost -f -a '(__plughost_complete)'
