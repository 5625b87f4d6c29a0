# SPDX-License-Identifier: Apache-2.0
#
# Bash completion of multus-eksctl. It needs nothing of bash-completion's own functions, so that it also
# works where that package is not installed: source it.
# shellcheck shell=bash

# What a command says of the daemon that the words before the cursor mean; nothing where it cannot be asked.
_multus_eksctl_ask() {
    local i words=("$1")
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} != --socket ]] || words=("$1" --socket "${COMP_WORDS[i + 1]}")
    done
    multus-eksctl "${words[@]}" 2>/dev/null
}

_multus_eksctl() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} offers=
    local command=${COMP_WORDS[1]}

    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        offers="status addresses register unregister plan check-config policy doctor --help --version"
    elif [[ $previous == --socket || $previous == --config ]]; then
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        return
    elif [[ $previous == --root ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$word")
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
            mapfile -t COMPREPLY < <(compgen -f -- "$word")
            return
            ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$offers" -- "$word")
}

complete -F _multus_eksctl multus-eksctl
