# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# The boxes that `escape run all` is started in.

# chown dac_override fowner fsetid kill setgid setuid net_bind_service setfcap
caps_root=00000000800004fb
caps_none=0000000000000000

boxes_all=(default user dropped read-only terminal exec exec-user exec-terminal host-root)

# What the box is told, as options; fact_options NAME=VALUE… overrides.
fact_options() {
        local line override

        options=()
        for line in "${facts[@]}"; do
                for override in "$@"; do
                        [ "${line%%=*}" != "ESCAPE_${override%%=*}" ] || continue 2
                done
                options+=(-e "$line")
        done
        for override in "$@"; do
                options+=(-e "ESCAPE_$override")
        done
}

# box NAME COMMAND…: COMMAND prints what `escape run all` says in that box, one line per attempt.
box() {
        local name=$1 line verb attack rest tried=0 all

        shift
        while IFS= read -r line; do
                line=${line%$'\r'}
                read -r verb attack rest <<<"$line"
                case $verb in
                refused | ESCAPED | WRONG | proves-nothing)
                        tried=$((tried + 1))
                        count "$name" "$verb" "$attack" "$rest"
                        ;;
                escape: | '') ;;
                *) echo "$name: ? $line" ;;
                esac
        done < <("$@" </dev/null 2>&1)

        all=$(($("$escape" list | wc -l) - $("$escape" list --by-the-host | wc -l)))
        if [ $tried != $all ]; then
                wrong=$((wrong + 1))
                echo "$name: WRONG only $tried of $all attempts were made"
        fi
}

# On a terminal of its own: script(1) makes one, as coffer wants to see.
on_terminal() {
        local command

        command=$(printf '%q ' "$@")
        script -qec "$command" /dev/null
}

# What every such box is given: a small limit, and a volume with a file and the bait's socket.
given=()

box_default() {
        fact_options
        box default "$coffer" run --rm "${given[@]}" "${options[@]}" "dir:$place/root" -- \
                /escape run all
}

box_user() {
        fact_options "CAPS=$caps_none" "BOUND=$caps_none" SUID=/suid-escape
        box user "$coffer" run --rm -u 1000:1000 "${given[@]}" "${options[@]}" \
                "dir:$place/root" -- /escape run all
}

box_dropped() {
        fact_options "CAPS=$caps_none" "BOUND=$caps_none"
        box dropped "$coffer" run --rm --cap-drop ALL "${given[@]}" "${options[@]}" \
                "dir:$place/root" -- /escape run all
}

box_read-only() {
        fact_options
        box read-only "$coffer" run --rm --read-only "${given[@]}" "${options[@]}" \
                "dir:$place/root" -- /escape run all
}

box_terminal() {
        fact_options
        box terminal on_terminal "$coffer" run --rm -t "${given[@]}" "${options[@]}" \
                "dir:$place/root" -- /escape run all
}

# A box that runs on: execs go into it, and other boxes look for what it holds.
box_hold() {
        local name=$1

        "$coffer" run -d --name "$name" "${given[@]}" "dir:$place/root" -- /escape hold \
                >/dev/null || return
        boxes+=("$name")
}

box_exec() {
        fact_options
        box exec "$coffer" exec "${options[@]}" victim /escape run all
}

box_exec-user() {
        fact_options "CAPS=$caps_none" "BOUND=$caps_none" SUID=/suid-escape
        box exec-user "$coffer" exec -u 1000:1000 "${options[@]}" victim /escape run all
}

box_exec-terminal() {
        fact_options
        box exec-terminal on_terminal "$coffer" exec -t "${options[@]}" victim /escape run all
}

box_host-root() {
        local caps=$caps_root

        # In the host's own root the default user is the caller, who has no capability unless root.
        [ "$(id -u)" = 0 ] || caps=$caps_none
        fact_options "CAPS=$caps" "BOUND=$caps"
        box host-root "$coffer" run --rm "${given[@]}" "${options[@]}" \
                -v "$place/bin:/opt/escape:ro" host -- /opt/escape/escape run all
}

# The other box's canary has the name that `escape` searches for, and a path in the home.
other_start() {
        local word canary

        word=$(fact CANARY_NAME)
        box_hold other || die "no second box could be started"
        "$coffer" exec other /bin/touch "/tmp/$word" </dev/null ||
                die "nothing could be made in the second box"
        canary=$(find "$COFFER_HOME" -name "$word" -print -quit 2>/dev/null)
        [ -z "$canary" ] || fact_set OTHER "$canary"
}

boxes_run() {
        local name

        [ $# -gt 0 ] || set -- "${boxes_all[@]}"
        given=(--ulimit nproc=200:200 -v "$place/volume:/volume:ro")
        fact_set RO_FILE /volume/file
        fact_set SOCKET /volume/socket
        box_hold victim || die "no box could be started"
        other_start
        for name in "$@"; do
                declare -F "box_$name" >/dev/null || die "no box is called '$name'"
                "box_$name"
        done
}
