# SPDX-License-Identifier: Apache-2.0
#
# Bash completion of multus-eksctl. It needs nothing of bash-completion's own functions, so that it also
# works where that package is not installed: source it.
# shellcheck shell=bash

# The words up to the cursor into "words". Bash breaks them at ":" and "=", too, which are within an address
# and between an option and its value: what no blank parts is put together again.
_multus_eksctl_words() {
    local i line=${COMP_LINE:-}
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        if ((i > 0)) && [[ $line != [[:space:]]* ]] &&
            [[ ${COMP_WORDS[i]} == [:=]* || ${COMP_WORDS[i - 1]} == *[:=] ]]; then
            words[-1]+=${COMP_WORDS[i]}
        else
            words+=("${COMP_WORDS[i]}")
        fi
        line=${line#*"${COMP_WORDS[i]}"}
    done
}

# What a command says of the daemon that the words before the cursor mean; nothing where it cannot be asked.
_multus_eksctl_ask() {
    local i question=("$1")
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        case ${words[i]} in
        --socket) question=("$1" --socket "${words[i + 1]}") ;;
        --socket=*) question=("$1" "${words[i]}") ;;
        esac
    done
    multus-eksctl "${question[@]}" 2>/dev/null
}

# Files or, with -d, directories; Readline is told, so that it ends no word at a directory.
_multus_eksctl_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_multus_eksctl_offer() {
    local previous=$1 word=$2 command=${words[1]} offers=

    if ((${#words[@]} == 2)); then
        offers="status addresses register unregister plan check-config policy doctor --help --version"
    elif [[ $previous == --socket || $previous == --config ]]; then
        _multus_eksctl_files -f "$word"
        return
    elif [[ $previous == --root ]]; then
        _multus_eksctl_files -d "$word"
        return
    elif [[ $previous == --interface ]]; then
        offers=$(_multus_eksctl_ask status | awk 'NR > 2 { if ($1 ~ /:$/) exit; print $1 }')
    elif [[ $previous == --partition ]]; then
        offers="aws aws-cn aws-us-gov"
    elif [[ $previous == --owner || $previous == --timeout ]]; then
        return
    else
        case $command in
        status) offers="--json --socket --help" ;;
        addresses) offers="--json --watch --socket --help" ;;
        register) offers="--interface --owner --timeout --socket --help" ;;
        unregister)
            offers="--owner --timeout --socket --help"
            [[ $word == -* ]] || offers=$(_multus_eksctl_ask addresses | awk 'NR > 1 { print $1 }')
            ;;
        plan) offers="--json --config --help" ;;
        policy) offers="--config --partition --no-registration --help" ;;
        doctor) offers="--json --image --root --config --socket --timeout --no-registration --help" ;;
        check-config)
            offers="--help"
            if [[ $word != -* ]]; then
                _multus_eksctl_files -f "$word"
                return
            fi
            ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$word")
}

_multus_eksctl() {
    local words word option= left=${COMP_WORDS[COMP_CWORD]} i

    COMPREPLY=()
    _multus_eksctl_words
    word=${words[-1]}
    if [[ $word == --*=* ]]; then
        option=${word%%=*}
        _multus_eksctl_offer "$option" "${word#*=}"
        option+="="
    else
        _multus_eksctl_offer "${words[-2]}" "$word"
    fi

    # Readline replaces what is behind the last break only: what is before it is not for the reply.
    [[ $left != [:=]* ]] || left=
    left=${word%"$left"}
    for i in "${!COMPREPLY[@]}"; do
        COMPREPLY[i]=$option${COMPREPLY[i]}
        COMPREPLY[i]=${COMPREPLY[i]#"$left"}
    done
}

complete -F _multus_eksctl multus-eksctl
