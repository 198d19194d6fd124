# bash completion for plughost. For this shell only:
#     source <(plughost completion bash)
# For every shell to come:
#     plughost completion bash > ~/.local/share/bash-completion/completions/plughost
_plughost() {
    local IFS=$'\n' cur words cword
    if declare -F _get_comp_words_by_ref >/dev/null; then
        _get_comp_words_by_ref -n =: cur words cword
    else
        cur=${COMP_WORDS[COMP_CWORD]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    fi
    COMPREPLY=($("${words[0]}" __complete -- "${words[@]:1:cword}" 2>/dev/null))
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == */ ]] && compopt -o nospace
    return 0
}
complete -o bashdefault -o default -F _plughost plughost
