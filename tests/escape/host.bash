# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154,SC2034,SC2004
#
# Attempts by what a box is described with.  `escape list --by-the-host` names them; each is the
# function host_NAME, which sets $found to how it ended or leaves it empty when nothing got out.

# The canary directory: what is in it, whose, since when; and what is mounted there.
canary_state() {
        find "$place/canary" -printf '%p %m %U:%G %s %T@ %l\n' | sort
        grep -F "$place/canary" /proc/self/mountinfo
}

# judge NAME COMMAND…: run it, then see whether the canary directory is as it was.
untouched() {
        local before

        before=$(canary_state)
        "$@" </dev/null >"$place/said" 2>&1
        status=$?
        [ "$before" = "$(canary_state)" ] || found="$(cat "$place/said") changed the canary directory"
}

# A link that leads to the canary when it is followed without care: absolute, and by ..
links_out() {
        echo "$place/canary" "../../../../../../../../../..$place/canary"
}

# with_link PATH COMMAND…: in a root where PATH is a link out, for each kind of link; the command
# gets the root.  That the link does lead out is tried first.
with_link() {
        local path=$1 link root=$place/bad

        shift
        for link in $(links_out); do
                rm -rf "$root"
                cp -a "$place/root" "$root"
                rm -rf "${root:?}$path"
                ln -s "$link" "$root$path"
                [ -e "$root$path/file" ] || {
                        proven[$name]=
                        reason[$name]="the link leads nowhere"
                        return
                }
                untouched "$@" "dir:$root" -- /bin/true
        done
        rm -rf "$root"
}

host_symlink-proc() { with_link /proc "$coffer" run --rm; }
host_symlink-sys() { with_link /sys "$coffer" run --rm; }
host_symlink-dev() { with_link /dev "$coffer" run --rm; }
host_symlink-volume() { with_link /mnt "$coffer" run --rm -v "$place/volume:/mnt/below"; }
host_symlink-tmp() { with_link /mnt "$coffer" run --rm --tmpfs /mnt/below; }

host_symlink-etc() {
        local file

        for file in resolv.conf hosts hostname passwd group; do
                echo "canary's $file" >"$place/canary/$file"
        done
        with_link /etc "$coffer" run --rm --hostname escape --add-host escape:192.0.2.1
        for file in resolv.conf hosts hostname; do
                rm -rf "$place/bad"
                cp -a "$place/root" "$place/bad"
                ln -sf "$place/canary/$file" "$place/bad/etc/$file"
                untouched "$coffer" run --rm --hostname escape --add-host escape:192.0.2.1 \
                        "dir:$place/bad" -- /bin/true
        done
}

host_dotdot-volume() {
        untouched "$coffer" run --rm -v "$place/volume:/../../../../../../..$place/canary/below" \
                "dir:$place/root" -- /bin/true
}

# Wherever such a directory leads, it must be refused or lie within the box.
host_workdir-by-fd() {
        local n

        for n in $(seq 3 20); do
                "$coffer" run --rm -w "/proc/self/fd/$n" "dir:$place/root" -- \
                        /bin/sh -c 'pwd; ls ..; cat "$@"' sh "../../../../..$place/volume/file" \
                        </dev/null >"$place/said" 2>&1
                status=$?
                if grep -q 'not yours' "$place/said"; then
                        found="-w /proc/self/fd/$n read a file of the host"
                elif [ $status -lt 125 ] && ! grep -q '^/' "$place/said"; then
                        found="-w /proc/self/fd/$n stands outside: $(head -1 "$place/said")"
                fi
        done
}

# own_program PATH: must not run what coffer itself is running.
own_program() {
        "$coffer" run --rm "dir:$place/root" -- "$1" list </dev/null >"$place/said" 2>&1
        status=$?
        case $status in
        125 | 126 | 127) ;;
        *) found="$1 ran and ended with $status: $(head -c 100 "$place/said")" ;;
        esac
}

host_entry-by-exe() {
        own_program /proc/self/exe
        own_program /proc/thread-self/exe
}

host_entry-by-fd() {
        local n

        for n in $(seq 3 20); do
                own_program "/proc/self/fd/$n"
        done
}

# What coffer runs is the same file afterwards, and was never open to writing from inside.
host_exec-exe() {
        local before watcher line

        before=$(sha256sum "$(dirname "$coffer")"/coffer*)
        "$coffer" exec victim /escape watch-exe /tmp/stop </dev/null >"$place/watched" 2>&1 &
        watcher=$!
        while ! grep -q . "$place/watched" && kill -0 $watcher 2>/dev/null; do
                "$coffer" exec victim /bin/true </dev/null
        done
        for _ in $(seq 40); do
                "$coffer" exec victim /bin/true </dev/null
        done
        "$coffer" exec victim /bin/touch /tmp/stop </dev/null
        wait $watcher
        line=$(tail -1 "$place/watched")
        [ "${line%% *}" = held ] || found=${line:-the watcher said nothing}
        [ "$before" = "$(sha256sum "$(dirname "$coffer")"/coffer*)" ] || found="a program changed"
}

# Directories of the host, open in who calls; a low number, a high one, and many between.
host_caller-fds() {
        (
                exec 9</ 10<"$place" 11<"$place/volume/file" 200</etc
                "$coffer" run --rm -e ESCAPE_BOX=1 -e "ESCAPE_NS_pid=$(fact NS_pid)" \
                        "dir:$place/root" -- /escape run leaked-fds cwd-by-fd odd-stdio
                "$coffer" exec -e ESCAPE_BOX=1 -e "ESCAPE_NS_pid=$(fact NS_pid)" \
                        victim /escape run leaked-fds cwd-by-fd odd-stdio
        ) </dev/null >"$place/said" 2>&1
        [ "$(grep -c '^refused' "$place/said")" = 6 ] ||
                found=$(grep -v '^refused' "$place/said" | head -1)
}

# SIGURG ends nobody who does not ask for it; the bait writes down that it came.
host_signal-all() {
        local heard=$place/bait/heard

        kill -URG "$(fact HOST_PID)"
        until [ -e "$heard" ]; do :; done
        rm "$heard"
        "$coffer" run --rm "dir:$place/root" -- /bin/sh -c 'kill -URG -1' </dev/null \
                >/dev/null 2>&1
        "$coffer" exec victim /bin/sh -c 'kill -URG -1' </dev/null >/dev/null 2>&1
        # Whatever was sent before this one has been heard when this one has.
        kill -0 "$(fact HOST_PID)"
        [ ! -e "$heard" ] || found="a process of the host heard it"
}

host_run() {
        local name found status

        while read -r name; do
                declare -F "host_$name" >/dev/null || die "nothing here tries $name"
                found='' status=0
                proven[$name]=1
                "host_$name"
                if [ -n "$found" ]; then
                        count outside ESCAPED "$name" "$found"
                else
                        count outside refused "$name" "held (intended)"
                fi
        done < <("$escape" list --by-the-host)
}
