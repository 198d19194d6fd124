#compdef plughost
# zsh completion for plughost. For this shell only:
#     source <(plughost completion zsh)
# For every shell to come, in a directory of $fpath:
#     plughost completion zsh > ~/.zfunc/_plughost
_plughost() {
    local -a found slashed
    found=("${(@f)$(${words[1]} __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    found=(${found:#})
    (( $#found )) || { _files; return }
    slashed=(${(M)found:#*/})
    compadd -S '' -a slashed
    found=(${found:#*/})
    compadd -a found
}
if [[ $funcstack[1] == _plughost ]]; then _plughost "$@"; else compdef _plughost plughost; fi
