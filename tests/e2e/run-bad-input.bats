#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154
# What bad input gets: one line that says what is wrong, one with a hint, the right exit status, and
# nothing left behind: no process, mount, cgroup, directory, name, range, layer.

load helpers
load places

setup_test()
{
        use_root
        seen_in=
        files=$BATS_TEST_TMPDIR/files
        mkdir "$files"
        echo "no image" > "$files/text"
        mkdir "$files/empty" "$files/volume"
        head -c 131072 /dev/zero | tr '\0' x > "$files/128k"
        { printf BIG=; cat "$files/128k"; } > "$files/env-one"
        for ((i = 0; i < 24; i++)); do
                printf 'BIG%d=%s\n' "$i" "$(head -c 130000 "$files/128k")"
        done > "$files/env-all"
}

# judge STATUS WORDS COMMAND…: COMMAND must fail as the table says.
judge()
{
        local wanted=$1 words=$2 lines=() wrong=()
        shift 2

        # What was right after the row before is what was there before this one.
        [ "$seen_in" = "$COFFER_HOME" ] || seen=$(traces)
        seen_in=$COFFER_HOME
        declare -F "$1" > /dev/null || set -- timeout --kill-after=5 30 "$@"
        status=0
        "$@" < /dev/null > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" || status=$?
        stderr=$(< "$BATS_TEST_TMPDIR/err")
        mapfile -t lines <<< "$stderr"
        [ ! -s "$BATS_TEST_TMPDIR/left-there" ] || wrong+=("$(< "$BATS_TEST_TMPDIR/left-there")")
        rm -f "$BATS_TEST_TMPDIR/left-there"
        [ "$status" = "$wanted" ] || wrong+=("the status is not $wanted")
        [[ ${lines[0]} = "coffer: "* ]] || wrong+=("the message does not begin with coffer:")
        [[ $stderr = *"$words"* ]] || wrong+=("the message does not say '$words'")
        case ${#lines[@]} in
        1) wrong+=("there is no hint") ;;
        2) [[ ${lines[1]} = "hint: "* ]] || wrong+=("the second line is no hint") ;;
        *) wrong+=("there are ${#lines[@]} lines") ;;
        esac
        if ! nothing_new "$seen" > "$BATS_TEST_TMPDIR/new"; then
                wrong+=("$(< "$BATS_TEST_TMPDIR/new")")
                seen_in=
        fi
        [ ${#wrong[@]} = 0 ] ||
                record "$(printf '%s; ' "${wrong[@]}")
    command: $(printf '%.200s' "$*")
    status:  $status
    stderr:  $stderr"
}

# judge_rows < TABLE: STATUS | WORDS | ARGUMENTS, a line each; the arguments are shell words.
judge_rows()
{
        local wanted words arguments argv rows=0

        while IFS='|' read -r wanted words arguments; do
                read -r wanted <<< "$wanted"
                read -r words <<< "${words//'$files'/$files}"
                eval "argv=($arguments)"
                judge "$wanted" "$words" "$COFFER_BIN_DIR/coffer" "${argv[@]}"
                rows=$((rows + 1))
        done
        [ "$rows" -gt 0 ]
        expect_no_failures
}

@test "images: unknown forms, missing files, files that are none" {
        judge_rows << 'END'
125 | 'debian'                     | run --pull never debian true
125 | 'docker://debian'            | run --pull never docker://debian true
125 | 'ftp://x/y'                  | run ftp://x/y true
125 | 'host:/usr'                  | run host:/usr true
125 | '/some/where'                | run /some/where true
125 | no image is named            | run '' true
125 | names no path                | run dir: true
125 | names no path                | run oci: true
125 | ends in a colon              | run oci:$files/empty: true
125 | $files/none                  | run "dir:$files/none" true
125 | $files/none                  | run "oci:$files/none" true
125 | $files/none                  | run "oci-archive:$files/none" true
125 | $files/none                  | run "docker-archive:$files/none" true
125 | is not a directory           | run "dir:$files/text" true
125 | oci:                         | run "oci:$files/empty" true
125 | oci:                         | run "oci:$files/text" true
125 | oci-archive:                 | run "oci-archive:$files/text" true
125 | docker-archive:              | run "docker-archive:$files/text" true
125 | oci-archive:                 | run "oci-archive:$files/empty" true
125 | oci-archive:                 | run oci-archive:/dev/null true
125 | oci-archive:                 | create oci-archive:/dev/null true
END
}

@test "flags and values: what is none, what Coffer has not, what cannot be" {
        judge_rows << 'END'
125 | at least 1 argument          | run
125 | --no-such-flag               | run --no-such-flag $image true
125 | 'z'                          | run -z $image true
125 | --name                       | run --name
125 | --privileged                 | run --privileged $image true
125 | --network                    | run --network host $image true
125 | --network                    | run --network bridge $image true
125 | --name                       | run --name 'a b' $image true
125 | --name                       | run --name -- $image true
125 | --name                       | run --name abcdefghijkl $image true
125 | --memory                     | run --memory lots $image true
125 | --memory                     | run --memory 1k $image true
125 | --cpus                       | run --cpus none $image true
125 | --pids-limit                 | run --pids-limit x $image true
125 | --ulimit                     | run --ulimit nonsense=1 $image true
125 | --ulimit                     | run --ulimit nofile=9:1 $image true
125 | --shm-size                   | run --shm-size x $image true
125 | --cap-add                    | run --cap-add NOTHING $image true
125 | --cap-drop                   | run --cap-drop NOTHING $image true
125 | --stop-signal                | run --stop-signal NOTHING $image true
125 | --health-interval            | run --health-cmd true --health-interval -1 $image true
125 | --health-retries             | run --health-cmd true --health-retries many $image true
125 | no health check              | run --health-timeout 1s $image true
125 | --no-healthcheck             | run --no-healthcheck --health-cmd true $image true
125 | --stop-timeout               | run --stop-timeout soon $image true
125 | --timeout                    | run --timeout never $image true
125 | --timeout                    | exec --timeout never busy true
125 | --hostname                   | run --hostname 'no host' $image true
125 | --add-host                   | run --add-host nonsense $image true
125 | --label                      | run --label =x $image true
125 | --env                        | run --env =x $image true
125 | --here                       | run --here=maybe $image true
125 | $files/none                  | run --env-file "$files/none" $image true
125 | $files/text                  | run --cidfile "$files/text" $image true
125 | detach-keys                  | run --detach-keys ctrl-ctrl $image true
125 | --allow-degraded             | run --allow-degraded nothing $image true
125 | they are engine, userns      | run --require landlock,nothing $image true
125 | vm cannot be required        | run --require vm $image true
125 | both mean landlock           | run --require landlock --allow-degraded landlock $image true
125 | both mean cgroup.cpu         | create --require cgroup.cpu --cpus 1 --allow-degraded cgroup $image true
125 | no limit to enforce          | run --require cgroup.memory $image true
125 | bounding-set                 | run --allow-degraded bounding-set,landlock $image true
125 | no limit to enforce          | run --require cgroup.pids --pids-limit -1 $image true
125 | --audit                      | run --audit perhaps $image true
2   | --no-such-flag               | ps --no-such-flag
2   | --no-such-flag               | --no-such-flag ps
2   | 'frobnicate'                 | frobnicate
2   | {{                           | ps --format '{{'
END
}

@test "names and references: taken, unknown, ambiguous" {
        local one two
        one=$(raw_coffer create --name one "$image" true)
        raw_coffer run -d --name busy "$image" sleep 1000 > /dev/null
        # Two ids that begin alike do not come by chance: the second is a copy.
        two=${one:0:8}zzzz
        [ "$two" != "$one" ]
        cp -a "$COFFER_HOME/boxes/$one" "$COFFER_HOME/boxes/$two"
        sed -i "s/$one/$two/g; s/\"one\"/\"two\"/g" "$COFFER_HOME/boxes/$two"/*.json
        judge_rows << END
125 | 'busy'                       | run --name busy $image true
125 | 'one'                        | create --name one $image true
1   | 'busy'                       | rename one busy
125 | 'nobody'                     | exec nobody true
125 | 'nobody'                     | attach nobody
125 | 'nobody'                     | start -a nobody
1   | 'nobody'                     | start nobody
1   | 'nobody'                     | stop nobody
1   | 'nobody'                     | kill nobody
1   | 'nobody'                     | rm nobody
1   | 'nobody'                     | wait nobody
1   | 'nobody'                     | logs nobody
1   | 'nobody'                     | restart nobody
1   | 'nobody'                     | rename nobody other
1   | 'nobody'                     | diff nobody
1   | 'nobody'                     | export -o $files/out nobody
1   | 'nobody'                     | cp nobody:/etc $files/out
125 | '${one:0:8}'                 | exec ${one:0:8} true
1   | '${one:0:6}'                 | rm ${one:0:6}
1   | '${one:0:3}'                 | rm ${one:0:3}
125 | not running                  | exec one true
1   | running                      | rm busy
1   | running                      | kill one
1   | 'nothing'                    | volume rm nothing
2   | NOTHING                      | kill -s NOTHING busy
END
        rm -rf "${COFFER_HOME:?}/boxes/$two"
}

@test "commands: not found is 127, not executable 126; directories and users that are not there" {
        raw_coffer run -d --name busy "$image" sleep 1000 > /dev/null
        touch "$root/tmp/plain"
        printf '#!/no/such/interpreter\n' > "$root/tmp/script"
        chmod 755 "$root/tmp/script"
        judge_rows << 'END'
127 | 'no-such-command'            | run $image no-such-command
127 | '/no/such/command'           | run --rm $image /no/such/command
127 | 'no-such-command'            | run -d $image no-such-command
127 | 'no-such-command'            | run --init $image no-such-command
127 | 'no-such-command'            | run --entrypoint no-such-command $image
127 | 'no-such-command'            | exec busy no-such-command
127 | '/tmp/script'                | exec busy /tmp/script
126 | '/tmp/plain'                 | run $image /tmp/plain
126 | '/etc'                       | run $image /etc
126 | '/tmp/plain'                 | exec busy /tmp/plain
127 | '/etc/passwd/x'              | exec busy /etc/passwd/x
126 | '/no/such/dir'               | run -w /no/such/dir $image true
126 | '/no/such/dir'               | exec -w /no/such/dir busy true
125 | --workdir                    | run -w relative $image true
125 | --workdir                    | run -w /a/../.. $image true
125 | no command                   | run $image
125 | 'mallory'                    | run -u mallory $image true
125 | 'mallory'                    | run -u user:mallory $image true
125 | 'mallory'                    | run --group-add mallory $image true
125 | --user                       | run -u 'a b' $image true
125 | 99999                        | run -u 99999 $image true
125 | 'mallory'                    | exec -u mallory busy true
125 | 99999                        | exec -u 99999 busy true
END
        rm "$root/tmp/plain" "$root/tmp/script"
}

@test "mounts: relative and escaping targets, sources that are not there" {
        ln -s /etc "$root/srv/link"
        ln -s ../../../../../.. "$root/srv/up"
        judge_rows << 'END'
125 | 'relative'                   | run -v $files/volume:relative $image true
125 | '..'                         | run -v $files/volume:/../x $image true
125 | '..'                         | run -v $files/volume:/a/../../x $image true
125 | '/'                          | run -v $files/volume:/ $image true
125 | '/proc                       | run -v $files/volume:/proc $image true
125 | '/proc/1'                    | run -v $files/volume:/proc/1 $image true
125 | '/dev                        | run -v $files/volume:/dev $image true
125 | '/sys                        | run -v $files/volume:/sys/kernel $image true
125 | $files/none                  | run -v $files/none:/mnt $image true
125 | $files/none                  | run --mount type=bind,src=$files/none,dst=/mnt $image true
125 | relative                     | run --mount type=bind,src=$files/volume,dst=relative $image true
125 | 'nonsense'                   | run --mount type=nonsense,dst=/mnt $image true
125 | 'nonsense'                   | run -v $files/volume:/mnt:nonsense $image true
125 | 'nonsense'                   | run --tmpfs /mnt:nonsense $image true
125 | 'relative'                   | run --tmpfs relative $image true
125 | 'a/b'                        | run -v a/b:/mnt $image true
125 | /etc/passwd                  | run -v $files/volume:/etc/passwd $image true
125 | /mnt                         | run -v $files/volume:/mnt -v $files/empty:/mnt $image true
END
        rm "$root/srv/link" "$root/srv/up"
}

@test "an environment over the limit" {
        judge_rows << 'END'
125 | 131071                       | run --env-file $files/env-one $image true
125 | 1048576                      | run --env-file $files/env-all $image true
END
}

# A home with nothing in it and one in use, each read-only.
read_only()
{
        mount -t tmpfs -o mode=700 test "$COFFER_HOME"
        [ $# = 0 ] || mkdir "${@/#/$COFFER_HOME/}"
        mount -o remount,bind,ro "$COFFER_HOME"
}

on_overlay()
{
        mount -t tmpfs -o mode=700 test "$COFFER_HOME"
        mkdir "$COFFER_HOME"/{lower,upper,work}
        mount -t overlay -o userxattr,lowerdir="$COFFER_HOME/lower" \
                -o "upperdir=$COFFER_HOME/upper,workdir=$COFFER_HOME/work" test "$COFFER_HOME"
        chmod 700 "$COFFER_HOME"
}

@test "homes: not absolute, not ours, read-only, on file systems that cannot keep boxes" {
        local coffer=$COFFER_BIN_DIR/coffer
        local -a run=("$coffer" run "$image" true)

        judge 125 "not an absolute path" env COFFER_HOME=some/where "${run[@]}"
        judge 125 "$files/text" env COFFER_HOME="$files/text" "${run[@]}"
        judge 125 "lies on proc" env COFFER_HOME=/proc/self/fdinfo "${run[@]}"
        judge 1 "lies on proc" env COFFER_HOME=/proc/self/fdinfo "$coffer" ps
        mkdir "$files/open"
        chmod 777 "$files/open"
        judge 125 "others may write" env COFFER_HOME="$files/open" "${run[@]}"
        if [ "$(id -u)" != 0 ]; then
                judge 125 "belongs to" env COFFER_HOME=/usr "${run[@]}"
                mkdir -m 500 "$files/closed"
                judge 125 "$files/closed" env COFFER_HOME="$files/closed" "${run[@]}"
        fi

        export -f read_only on_overlay
        export COFFER_HOME=$BATS_TEST_TMPDIR/elsewhere
        mkdir "$COFFER_HOME"
        judge 125 "Read-only file system" elsewhere read_only "${run[@]}"
        judge 125 "Read-only file system" elsewhere "read_only boxes names ids" "${run[@]}"
        judge 125 "overlay" elsewhere on_overlay "${run[@]}"
        if [ -w /dev/fuse ]; then
                judge 125 "FUSE" elsewhere : "$BATS_TEST_DIRNAME/fuse-home.py" "$COFFER_HOME" "${run[@]}"
        else
                echo "# a home on FUSE is not tried: /dev/fuse may not be opened here" >&3
        fi
        expect_no_failures
}

# full BYTES-OR-INODES: a home in which as much is free.
full()
{
        mount -t tmpfs -o "mode=700,$1" test "$COFFER_HOME"
        mkdir "$COFFER_HOME"/{boxes,names,ids}
        [ $# = 1 ] || head -c "$2" /dev/zero > "$COFFER_HOME/filler"
}

@test "a full disk: no room for bytes, no room for files, wherever it ends; and too few files to open" {
        local inodes files

        export -f full
        export COFFER_HOME=$BATS_TEST_TMPDIR/elsewhere
        mkdir "$COFFER_HOME"
        judge 125 "No space left" elsewhere "full size=64k 65536" "$COFFER_BIN_DIR/coffer" run "$image" true
        # The directory of the home and its three take four; a box takes about fifteen.
        for inodes in 5 6 7 8 9 10 11 12; do
                judge 125 "No space left" elsewhere "full nr_inodes=$inodes" \
                        "$COFFER_BIN_DIR/coffer" run "$image" true
        done
        for files in 3 6 7 9 12 24 63; do
                judge 125 "open" bash -c 'ulimit -n "$0"; exec "$@"' "$files" "$COFFER_BIN_DIR/coffer" run "$image" true
        done
        judge 125 "File too large" bash -c 'ulimit -f 1; exec "$@"' - "$COFFER_BIN_DIR/coffer" run "$image" true
        expect_no_failures
}

@test "no user namespaces" {
        export COFFER_HOME=$BATS_TEST_TMPDIR/elsewhere
        mkdir "$COFFER_HOME"
        if [ "$(id -u)" = 0 ]; then
                # The host's own limit is not ours to change, but that of a namespace is.
                judge 125 "user.max_user_namespaces" unshare -U -r \
                        bash -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"' - \
                        "$COFFER_BIN_DIR/coffer" run "$image" true
        else
                judge 125 "namespaces" elsewhere "echo 1 > /proc/sys/user/max_user_namespaces" \
                        "$COFFER_BIN_DIR/coffer" run "$image" true
        fi
        expect_no_failures
}

@test "root that has not what root has, as in many a container" {
        local cap

        [ "$(id -u)" = 0 ] || skip "an ordinary user has none of it"
        for cap in all sys_admin setuid setgid; do
                judge 125 "Operation not permitted" setpriv "--bounding-set=-$cap" "--inh-caps=-$cap" \
                        "$COFFER_BIN_DIR/coffer" run "$image" true
        done
        expect_no_failures
}

@test "a limit without a cgroup that could keep it" {
        local limit

        for limit in --memory=64m --cpus=0.5; do
                if [ "$(id -u)" = 0 ]; then
                        judge 125 "${limit%=*}" elsewhere "mount -t tmpfs test /sys/fs/cgroup" \
                                "$COFFER_BIN_DIR/coffer" run "$limit" "$image" true
                elif ! raw_coffer run --rm "$limit" "$image" true 2> /dev/null; then
                        judge 125 "${limit%=*}" "$COFFER_BIN_DIR/coffer" run "$limit" "$image" true
                else
                        skip "this user has a cgroup that takes limits"
                fi
        done
        expect_no_failures
}
