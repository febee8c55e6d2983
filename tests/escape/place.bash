# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
#
# The place that the attempts need: a root to run in, a home of its own, and the bait on the host.

place=
bait_in= bait_out=
boxes=() # to be removed

place_make() {
        place=$(mktemp -d "${TMPDIR:-/tmp}/coffer-escape.XXXXXX") || die "no temporary directory"
        trap place_remove EXIT
        chmod 0755 "$place"
        mkdir "$place"/{home,bait,canary,volume,bin}
        # Open to all, so that nothing but the mount refuses.
        echo "not yours" >"$place/volume/file"
        chmod 0777 "$place/volume"
        chmod 0666 "$place/volume/file"
        export COFFER_HOME=$place/home
        root_make "$place/root"
        install -m 0755 "$escape" "$place/bin/escape"
        bait_start
}

place_remove() {
        local box

        for box in "${boxes[@]}"; do
                "$coffer" rm -f "$box" >/dev/null 2>&1
        done
        # The bait ends when its stdin does.
        [ -z "$bait_in" ] || exec {bait_in}>&-
        [ -z "${BAIT_PID:-}" ] || wait "$BAIT_PID" 2>/dev/null
        rm -rf "$place" || echo "escape: $place could not be removed" >&2
}

# root_make DIR: the smallest root in which a shell and the attempts run.
root_make() {
        local root=$1 applet

        mkdir -p "$root"/{bin,etc,dev,proc,sys,tmp,run,root,mnt,volume,var/tmp}
        chmod 1777 "$root/tmp" "$root/var/tmp"
        install -m 0755 "$escape" "$root/escape"
        install -m 4755 "$escape" "$root/suid-escape"
        printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/tmp:/bin/sh\n' \
                >"$root/etc/passwd"
        printf 'root:x:0:\nuser:x:1000:\n' >"$root/etc/group"
        install -m 0755 "$(busybox_find)" "$root/bin/busybox"
        for applet in sh true cat ls pwd kill touch; do
                ln -s busybox "$root/bin/$applet"
        done
}

busybox_find() {
        local candidate

        for candidate in /bin/busybox /usr/bin/busybox; do
                [ -x "$candidate" ] && echo "$candidate" && return
        done
        die "no busybox: apt-get install busybox-static"
}

# Something of each kind that only the host has; it tells what as ESCAPE_NAME=value.
bait_start() {
        local line word="coffer-escape-$$-$RANDOM"

        coproc BAIT { exec "$escape" bait "$place/bait" "$word" "$place/volume/socket"; }
        bait_in=${BAIT[1]} bait_out=${BAIT[0]}
        while read -r line <&"$bait_out"; do
                [ "$line" != ready ] || break
                facts+=("$line")
        done
        [ "${line:-}" = ready ] || die "the bait did not start"
        facts+=("ESCAPE_BOX=1" "ESCAPE_HOST_PATHS=$place/home:$place/root" "ESCAPE_PROCESSES=200"
                "ESCAPE_GROUPS=" "ESCAPE_CAPS=$caps_root" "ESCAPE_BOUND=$caps_root"
                "ESCAPE_OTHER=$place/canary/file")
        echo "another box's" >"$place/canary/file"
}

# Did a signal reach the host's process since this was last asked?
bait_heard() {
        local answer

        echo '?' >&"$bait_in"
        read -r answer <&"$bait_out" || die "the bait is gone"
        [ "$answer" = heard ]
}

# fact NAME: its value.
fact() {
        local line

        for line in "${facts[@]}"; do
                [ "${line%%=*}" != "ESCAPE_$1" ] || echo "${line#*=}"
        done
}

# fact_set NAME VALUE
fact_set() {
        local i

        for i in "${!facts[@]}"; do
                [ "${facts[i]%%=*}" != "ESCAPE_$1" ] || unset "facts[i]"
        done
        facts+=("ESCAPE_$1=$2")
}
