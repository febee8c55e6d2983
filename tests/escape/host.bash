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

# untouched COMMAND…: run it, then see whether the canary directory is as it was.
untouched() {
        local before

        before=$(canary_state)
        "$@" </dev/null >"$place/said" 2>&1
        status=$?
        [ "$before" = "$(canary_state)" ] || found="the canary directory changed: $(tail -1 "$place/said")"
}

# What a box shows whose /proc, /dev or /sys are not what they should be.
looks=(outer-procfs kcore core-pattern sysrq sys replaced-null find-device host-file find-canary)

# whole OPTION… ROOT: such a box is refused, or it is as whole as any other.
whole() {
        local options

        fact_options
        untouched "$coffer" run --rm "${options[@]}" "$@" -- /escape run "${looks[@]}"
        case $status in
        125 | 126 | 127) ;;
        0) ;;
        *) found="the box is not whole: $(grep -v '^refused' "$place/said" | head -1)" ;;
        esac
}

# A link that leads to the canary when it is followed without care: absolute, and by ..
links_out() {
        echo "$place/canary" "../../../../../../../../../..$place/canary"
}

# with_link PATH OPTION…: boxes of a root where PATH is a link out, one for each kind of link.
# That the link does lead out is tried first.
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
                whole "$@" "dir:$root"
        done
        rm -rf "$root"
}

host_symlink-proc() { with_link /proc; }
host_symlink-sys() { with_link /sys; }
host_symlink-dev() { with_link /dev; }
host_symlink-volume() { with_link /mnt -v "$place/volume:/mnt/below"; }
host_symlink-tmp() { with_link /mnt --tmpfs /mnt/below; }

host_symlink-etc() {
        local file

        for file in resolv.conf hosts hostname passwd group; do
                echo "canary's $file" >"$place/canary/$file"
        done
        with_link /etc --hostname escape --add-host escape:192.0.2.1
        for file in resolv.conf hosts hostname; do
                rm -rf "$place/bad"
                cp -a "$place/root" "$place/bad"
                ln -sf "$place/canary/$file" "$place/bad/etc/$file"
                whole --hostname escape --add-host escape:192.0.2.1 "dir:$place/bad"
        done
        rm -rf "$place/bad"
}

# Somebody with the same volume changes it while the box is built: before a mount below it is
# resolved, and between that and the mount.
host_swapped-volume() {
        local swapper shared=$place/shared looks=(host-file other-box unmount-masks)

        mkdir -p "$shared/below"
        ln -s "$place/canary" "$shared/link"
        "$escape" swap "$shared/below" "$shared/link" >"$place/swapping" 2>&1 &
        swapper=$!
        for _ in $(seq 30); do
                whole -v "$shared:/mnt" -v "$place/volume:/mnt/below" "dir:$place/root"
        done
        kill $swapper || found="the swapper ended: $(tail -1 "$place/swapping")"
        wait $swapper 2>/dev/null
        rm -rf "$shared"
}

# odd_passwd: the box with that file is refused or runs, within a time.
odd_passwd() {
        untouched timeout 30 "$coffer" run --rm -u user "dir:$place/bad" -- /bin/true
        [ $status != 124 ] || found="$1 as /etc/passwd holds coffer up"
        [ $status = 124 ] || [ $status -ge 125 ] || [ "$1" = big ] || [ "$1" = link ] ||
                found="$1 as /etc/passwd names a user"
        rm -rf "$place/bad/etc/passwd"
}

host_odd-passwd() {
        rm -rf "$place/bad"
        cp -a "$place/root" "$place/bad"
        rm "$place/bad/etc/passwd"
        mkfifo "$place/bad/etc/passwd"
        odd_passwd pipe
        mkdir "$place/bad/etc/passwd"
        odd_passwd directory
        cp "$place/root/etc/passwd" "$place/bad/etc/passwd"
        truncate -s 1G "$place/bad/etc/passwd"
        odd_passwd big
        echo "user:x:4242:4242::/:" >"$place/canary/passwd"
        ln -s "$place/canary/passwd" "$place/bad/etc/passwd"
        odd_passwd link
        [ $status -ge 125 ] || found="a user of the host's file was taken"
        rm -rf "$place/bad"
}

host_dotdot-volume() {
        untouched "$coffer" run --rm -v "$place/volume:/../../../../../../..$place/canary/below" \
                "dir:$place/root" -- /bin/true
}

# Wherever such a directory leads, it must be refused or lie within the box.
workdir_inside() {
        local what=$1

        shift
        "$@" /bin/sh -c 'pwd; cat "$1"' sh "../../../../../..$place/volume/file" \
                </dev/null >"$place/said" 2>&1
        status=$?
        if grep -q 'not yours' "$place/said"; then
                found="$what read a file of the host"
        elif [ $status -lt 125 ] && ! grep -q '^/' "$place/said"; then
                found="$what stands outside: $(head -1 "$place/said")"
        fi
}

host_workdir-by-fd() {
        local n dir

        for n in $(seq 3 20); do
                dir=/proc/self/fd/$n
                workdir_inside "run -w $dir" "$coffer" run --rm -w "$dir" "dir:$place/root" --
                workdir_inside "exec -w $dir" "$coffer" exec -w "$dir" victim
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

# A group that opens the caller's files must not come along.  Only root can take one to show it.
host_caller-groups() {
        if [ "$(id -u)" != 0 ]; then
                proven[$name]=
                reason[$name]="only root can take a group to show it"
                return
        fi
        fact_options
        setpriv --groups 31337 "$coffer" run --rm "${options[@]}" "dir:$place/root" -- \
                /escape run other-groups </dev/null >"$place/said" 2>&1
        grep -q '^refused other-groups' "$place/said" || found=$(head -1 "$place/said")
}

# SIGURG ends nobody who does not ask for it; the bait says whether it came.
host_signal-all() {
        kill -URG "$(fact HOST_PID)"
        bait_heard || {
                proven[$name]=
                reason[$name]="the bait does not hear"
        }
        "$coffer" run --rm "dir:$place/root" -- /bin/sh -c 'kill -URG -1' </dev/null >/dev/null 2>&1
        "$coffer" exec victim /bin/sh -c 'kill -URG -1' </dev/null >/dev/null 2>&1
        ! bait_heard || found="a process of the host heard it"
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
