#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# Every flag of run, create and exec, proved by what it does in the box, and what the commands do to
# real boxes.

load helpers
load places

setup_test()
{
        use_root
        dir=$BATS_TEST_TMPDIR/dir
        mkdir "$dir"
        echo outside > "$dir/file"
        chmod 755 "$dir"
}

# rows < TABLE: FLAGS | COMMAND | OUTPUT, a line each: `run --rm FLAGS IMAGE sh -c COMMAND` prints OUTPUT.
rows()
{
        local flags command wanted argv

        while IFS='|' read -r flags command wanted; do
                eval "argv=($flags)"
                read -r wanted <<< "$wanted"
                coffer run --rm "${argv[@]}" "$image" sh -c "${command//&&/|}"
                [ "$output" = "$wanted" ] || record "run --rm $flags … sh -c $command
    expected: $wanted
    status $status, stdout: $output, stderr: $stderr"
        done
        expect_no_failures
}

@test "flags that set words: environment, directory, user, name, label, hosts" {
        printf 'A=from file\n# B=no\nC=x=y\n' > "$dir/env"
        export MINE=exported
        rows << 'END'
-e A=1                           | echo "$A"                            | 1
-e A=1 -e A=2                    | echo "$A"                            | 2
-e A=                            | echo "[${A-none}]"                   | []
-e MINE                          | echo "$MINE"                         | exported
-e NOT_SET                       | echo "${NOT_SET-none}"               | none
                                 | echo "${MINE-none}"                  | none
--env-file $dir/env              | echo "$A:${B-none}:$C"               | from file:none:x=y
--env-file $dir/env -e A=flag    | echo "$A"                            | flag
-e HOME=/x                       | echo "$HOME"                         | /x
                                 | echo "$HOME $PATH"                   | /root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
-w /etc                          | echo "$(pwd) $PWD"                    | /etc /etc
--hostname my-host               | echo "$(hostname) $(cat /etc/hostname)" | my-host my-host
--hostname my-host               | grep -c my-host /etc/hosts           | 1
--add-host db:10.1.2.3           | grep 10.1.2.3 /etc/hosts                   | 10.1.2.3 db
END
}

@test "in a host box a caller whom /etc/passwd does not know has the name and home of his environment" {
        [ "$(id -u)" = 0 ] || skip "needs root, to become somebody unknown"
        zed=$(mktemp -d /tmp/coffer-zed.XXXXXX) # his way to the test's own directory is closed
        chown 54321 "$zed"
        run -0 setpriv --reuid 54321 --regid 54321 --clear-groups env -i PATH="$PATH" LOGNAME=zed \
                HOME=/home/zed COFFER_HOME="$zed" "$COFFER_BIN_DIR/coffer" run --rm host -- \
                sh -c 'echo "$(id -un) $HOME $(getent passwd zed)"'
        [ "$output" = 'zed /home/zed zed:x:54321:54321::/home/zed:/bin/sh' ]
        run -0 setpriv --reuid 54321 --regid 54321 --clear-groups env -i PATH="$PATH" \
                LOGNAME='a:b' HOME=$'/x\ny' COFFER_HOME="$zed" "$COFFER_BIN_DIR/coffer" run --rm host -- \
                sh -c 'echo "$(id -un) $HOME"'
        [ "$output" = 'user /' ]
        rm -r "$zed"
}

@test "a directory that is closed to the user can be the one to start in, as with Docker" {
        mkdir -m 700 "$root/closed"
        coffer run --rm -u user -w /closed "$image" sh -c 'pwd; id -u; ls 2>&1'
        expect_output $'/closed\n1000\nls: .: Permission denied'
        raw_coffer run -d --name one "$image" sleep 1000 > /dev/null
        coffer exec -u user -w /closed one pwd
        expect_output /closed
        rmdir "$root/closed"
}

@test "the directory is the one the process is in, the name what uname says" {
        coffer run --rm -w /etc "$image" pwd
        expect_output /etc
        coffer run --rm --hostname my-host "$image" hostname
        expect_output my-host
        coffer run --rm "$image" sh -c 'test "$(hostname)" = "$HOSTNAME" && hostname'
        [[ $output =~ ^[a-z2-7]{12}$ ]]
        coffer run --rm --entrypoint echo "$image" -n a b
        expect_output "a b"
        coffer run --rm --entrypoint "" "$image" echo c
        expect_output c
}

@test "flags that choose the user and its rights" {
        need_subids_or_root
        rows << 'END'
                                 | echo "$(id -u) $(id -g)"             | 0 0
-u user                          | id -un                               | user
-u user                          | echo "$(id -u) $(id -g) $HOME"       | 1000 1000 /home/user
-u 1234                          | echo "$(id -u) $(id -g)"             | 1234 0
-u 1234:2345                     | echo "$(id -u) $(id -g)"             | 1234 2345
-u user                          | id -Gn                               | user team
-u 1234 --group-add team         | id -G                                | 0 2000
-u 1234:5 --group-add 77         | id -G                                | 5 77
                                 | grep CapPrm /proc/self/status        | CapPrm:	00000000800004fb
                                 | grep CapBnd /proc/self/status        | CapBnd:	00000000800004fb
-u user                          | grep CapPrm /proc/self/status        | CapPrm:	0000000000000000
-u user                          | grep CapEff /proc/self/status        | CapEff:	0000000000000000
--cap-drop ALL                   | grep CapPrm /proc/self/status        | CapPrm:	0000000000000000
--cap-drop ALL --cap-add CHOWN   | grep CapPrm /proc/self/status        | CapPrm:	0000000000000001
--cap-drop CHOWN                 | grep CapPrm /proc/self/status        | CapPrm:	00000000800004fa
--cap-drop cap_chown             | touch /x; chown 1 /x 2> /x; echo $?  | 1
--cap-add SYS_PTRACE             | grep CapPrm /proc/self/status        | CapPrm:	00000000800804fb
                                 | grep NoNewPrivs /proc/self/status    | NoNewPrivs:	1
                                 | grep Seccomp: /proc/self/status      | Seccomp:	2
END
}

need_subids_or_root()
{
        [ "$(id -u)" = 0 ] || need_subids
}

@test "flags that limit" {
        local hard
        rows << 'END'
--ulimit nofile=123:456          | echo "$(ulimit -Sn) $(ulimit -Hn)"   | 123 456
--ulimit nofile=64               | echo "$(ulimit -Sn) $(ulimit -Hn)"   | 64 64
--ulimit fsize=2                 | ulimit -f                            | 0
--ulimit core=0                  | ulimit -c                            | 0
--shm-size 4m                    | df -k /dev/shm && awk 'END { print $2 }' | 4096
                                 | df -k /dev/shm && awk 'END { print $2 }' | 65536
END
        coffer run --rm --shm-size 1m "$image" sh -c 'head -c 2097152 /dev/zero > /dev/shm/x'
        [ "$status" != 0 ] || explain "2 MiB fit into 1"
}

@test "--pids-limit holds, whoever forks" {
        local forks='i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i + 1)); done; echo all'
        coffer run --rm --pids-limit 20 "$image" sh -c "$forks"
        [ "$output" != all ] || explain "40 processes were started"
        coffer run --rm --pids-limit 100 "$image" sh -c "$forks"
        expect_output all
}

@test "mounts: directories, files, read-only, tmpfs, options" {
        need_subids_or_root
        rows << 'END'
-v $dir:/mnt                     | cat /mnt/file                        | outside
-v $dir:/mnt                     | echo new > /mnt/new; cat /mnt/new    | new
-v $dir:/mnt:ro                  | echo x > /mnt/y 2> /dev/null; echo $? | 1
-v $dir:/not/there/yet           | cat /not/there/yet/file              | outside
-v $dir/file:/etc/one-file       | cat /etc/one-file                    | outside
-v $dir/file:/etc/one-file:ro    | echo x 2> /dev/null > /etc/one-file; cat /etc/one-file | outside
-v $dir:/mnt:ro -v $dir/file:/srv/f | echo changed > /srv/f; cat /mnt/file | changed
--mount type=bind,src=$dir,dst=/mnt,ro | cat /mnt/new                   | new
--mount type=bind,source=$dir,target=/mnt,readonly | touch /mnt/z 2> /dev/null; echo $? | 1
--mount type=tmpfs,dst=/mnt      | touch /mnt/a; ls /mnt                | a
--tmpfs /mnt                     | grep ' /mnt tmpfs' /proc/mounts && wc -l | 1
--tmpfs /mnt:size=64k            | df -k /mnt && awk 'END { print $2 }' | 64
--tmpfs /mnt:mode=750            | stat -c %a /mnt                      | 750
--tmpfs /mnt:uid=1000,gid=2000   | stat -c %u:%g /mnt                   | 1000:2000
--tmpfs /mnt:ro                  | touch /mnt/x 2> /dev/null; echo $?   | 1
--tmpfs /mnt                     | grep -c '/mnt tmpfs.*nosuid,nodev,noexec' /proc/mounts | 1
--tmpfs /mnt:exec                | cp /bin/busybox /mnt/echo; /mnt/echo ran | ran
--read-only                      | touch /x 2> /dev/null; echo $?       | 1
--read-only --tmpfs /tmp         | echo y > /tmp/x; cat /tmp/x          | y
--read-only -v $dir:/mnt         | touch /mnt/rw; echo $?               | 0
                                 | echo y > /root/x; cat /root/x        | y
END
        expect_equal changed "$(< "$dir/file")"
        # What root of the box wrote belongs to the caller.
        expect_equal "$(id -u)" "$(stat -c %u "$dir/new")"
        # Nothing was written to the image.
        [ ! -e "$root/root/x" ] && [ ! -e "$root/not" ] && [ ! -e "$root/etc/one-file" ]
}

@test "--here shows the current directory at its own path, and works there" {
        local real
        real=$(realpath "$dir")
        cd "$dir"
        coffer run --rm --here "$image" sh -c 'pwd; cat file; echo here > made'
        expect_output "$real
outside"
        expect_equal here "$(< made)"
        coffer run --rm --here=ro "$image" sh -c 'pwd; echo x > made'
        [ "$status" != 0 ]
        expect_output "$real"
        expect_equal here "$(< made)"
        coffer run --rm --here host cat file
        expect_output outside
}

@test "named volumes outlive boxes, and are shared" {
        raw_coffer run --rm -v data:/data "$image" sh -c 'echo kept > /data/file'
        expect_equal kept "$(raw_coffer run --rm -v data:/mnt "$image" cat /mnt/file)"
        raw_coffer run -d --name one -v data:/data "$image" sleep 1000 > /dev/null
        raw_coffer run --rm -v data:/data "$image" sh -c 'echo shared > /data/file'
        expect_equal shared "$(raw_coffer exec one cat /data/file)"
        coffer volume rm data
        expect_status 1
        expect_one_line_error
        raw_coffer rm -f one > /dev/null
        expect_equal shared "$(raw_coffer run --rm -v data:/data:ro "$image" cat /data/file)"
        coffer run --rm -v data:/data:ro "$image" touch /data/x
        expect_status 1
        coffer volume rm data
        expect_status 0
        # An anonymous one goes with its box.
        raw_coffer run --rm -v /data "$image" touch /data/file
        coffer volume ls -q
        expect_output ""
}

@test "what a box wrote stays with it, and with nobody else" {
        raw_coffer run --name one "$image" sh -c 'echo mine > /etc/mine; rm -f /etc/group; mkdir -p /new'
        raw_coffer start -a one
        coffer diff one
        expect_output "C /etc
D /etc/group
A /etc/mine
A /new"
        raw_coffer cp one:/etc/mine "$dir/copy"
        expect_equal mine "$(< "$dir/copy")"
        coffer run --rm "$image" ls /etc/mine /etc/group /new
        expect_output /etc/group
        raw_coffer export one | tar -tf - > "$dir/list"
        grep -qx 'etc/mine' "$dir/list"
        run ! grep -q 'etc/group' "$dir/list"
}

@test "cp both ways: files, directories, links, streams" {
        raw_coffer run -d --name one "$image" sleep 1000 > /dev/null
        mkdir "$dir/tree"
        ln -s target "$dir/tree/link"
        head -c 300000 "$root/bin/busybox" > "$dir/tree/bytes"
        chmod 751 "$dir/tree/bytes"
        raw_coffer cp "$dir/tree" one:/srv
        expect_equal "target 751" "$(raw_coffer exec one sh -c 'echo "$(readlink /srv/tree/link) $(stat -c %a /srv/tree/bytes)"')"
        raw_coffer cp one:/srv/tree "$dir/back"
        diff -r --no-dereference "$dir/tree" "$dir/back"
        raw_coffer cp one:/srv/tree - | tar -tf - | grep -q tree/link
        tar -C "$dir" -cf - tree | raw_coffer cp - one:/home
        expect_equal "300000" "$(raw_coffer exec one sh -c 'wc -c < /home/tree/bytes')"
}

@test "-d outlives the client, logs and wait have the rest" {
        raw_coffer run -d --name one "$image" sh -c 'echo before; read x < /fifo || while [ ! -e /go ]; do sleep 0.02; done; echo after; exit 7' > "$dir/id"
        expect_equal "$(< "$dir/id")" "$(raw_coffer ps -q --no-trunc)"
        raw_coffer exec one touch /go
        expect_equal 7 "$(raw_coffer wait one)"
        coffer logs one
        expect_output "before
after"
        coffer inspect -f '{{.State.ExitCode}} {{.State.Status}} {{.State.Running}}' one
        expect_output "7 exited false"
}

@test "logs -f ends with the box, attach sees what comes" {
        raw_coffer run -d -i --name one "$image" sh -c 'read -r line; echo "$line"; exit 4' > /dev/null
        raw_coffer logs -f one > "$dir/logs" &
        follower=$!
        # What it says is what main waits for: main cannot end before it is attached.
        status=0
        raw_coffer attach --sig-proxy=false one > "$dir/attached" <<< came || status=$?
        expect_status 4
        expect_equal came "$(< "$dir/attached")"
        wait $follower
        expect_equal came "$(< "$dir/logs")"
}

gone()
{
        [ -z "$(raw_coffer ps -aq -f "name=$1")" ]
}

@test "the death of the foreground client ends the box" {
        "$COFFER_BIN_DIR/coffer" run --rm --name one "$image" tail -f /etc/ready > "$dir/out" &
        client=$!
        until_true 10 grep -q ready "$dir/out"
        kill -9 $client
        until_true 15 gone one
}

@test "the death of an exec's client ends the exec, not the box" {
        raw_coffer run -d --name one "$image" sleep 1000 > /dev/null
        "$COFFER_BIN_DIR/coffer" exec one tail -f /etc/ready > "$dir/out" &
        client=$!
        until_true 10 grep -q ready "$dir/out"
        kill -9 $client
        no_tail() { ! raw_coffer exec one pidof tail > /dev/null; }
        until_true 10 no_tail
        expect_equal running "$(raw_coffer inspect -f '{{.State.Status}}' one)"
        raw_coffer exec -d one tail -f /etc/ready
        raw_coffer exec one pidof tail
}

@test "stop: at once where nobody listens, with its grace where somebody does" {
        local began
        raw_coffer run -d --name deaf "$image" tail -f /etc/ready > /dev/null
        began=$SECONDS
        coffer stop -t 30 deaf
        expect_status 0
        [ $((SECONDS - began)) -lt 10 ] || explain "the grace was waited out"
        expect_equal 137 "$(raw_coffer inspect -f '{{.State.ExitCode}}' deaf)"

        raw_coffer run -d --name polite "$image" \
                sh -c 'trap "sleep 0.3; echo bye; exit 3" TERM; echo ready; while :; do sleep 0.02; done' > /dev/null
        until_true 10 logged polite ready
        raw_coffer stop -t 30 polite > /dev/null
        expect_equal 3 "$(raw_coffer inspect -f '{{.State.ExitCode}}' polite)"
        logged polite bye

        raw_coffer run -d --name stubborn --stop-timeout 500ms "$image" \
                sh -c 'trap "echo no" TERM; echo ready; while :; do sleep 0.02; done' > /dev/null
        until_true 10 logged stubborn ready
        raw_coffer stop stubborn > /dev/null
        expect_equal 137 "$(raw_coffer inspect -f '{{.State.ExitCode}}' stubborn)"
        logged stubborn no

        raw_coffer run -d --name other --stop-signal USR1 "$image" \
                sh -c 'trap "exit 8" USR1; echo ready; while :; do sleep 0.02; done' > /dev/null
        until_true 10 logged other ready
        raw_coffer stop other > /dev/null
        expect_equal 8 "$(raw_coffer inspect -f '{{.State.ExitCode}}' other)"
}

logged()
{
        raw_coffer logs "$1" | grep -qx "$2"
}

@test "restart, rename, kill -s, events: the same box under another name, told in order" {
        raw_coffer run -d --name one --label kind=test "$image" sh -c \
                'echo up; trap "exit 5" USR1; while :; do sleep 0.02; done' > /dev/null
        until_true 10 logged one up
        raw_coffer restart -t 0 one > /dev/null
        twice() { [ "$(raw_coffer logs one | grep -c up)" = 2 ]; }
        until_true 10 twice
        raw_coffer rename one two
        raw_coffer kill -s USR1 two > /dev/null
        expect_equal 5 "$(raw_coffer wait two)"
        raw_coffer rm two > /dev/null
        coffer events --since 1h --until 0s --format '{{.Action}}'
        actions=$(tr '\n' ' ' <<< "$output")
        [[ $actions = "create start "*"die "*"start "*"rename "*"kill "*"die destroy "* ]] ||
                explain "another order: $actions"
        coffer events --since 1h --until 0s -f label=kind=test -f event=die --format '{{.Actor.Attributes.exitCode}}'
        [[ ${lines[-1]} = 5 ]]
}

@test "--cidfile and --label: found again by them" {
        raw_coffer run -d --cidfile "$dir/cid" --label a=1 --label b "$image" sleep 1000 > "$dir/id"
        expect_equal "$(< "$dir/id")" "$(< "$dir/cid")"
        expect_equal "$(< "$dir/id")" "$(raw_coffer ps -q --no-trunc -f label=a=1 -f label=b)"
        expect_equal "" "$(raw_coffer ps -q -f label=a=2)"
        expect_equal 1 "$(raw_coffer inspect -f '{{.Config.Labels.a}}' "$(< "$dir/cid")")"
}

@test "--init reaps strays; without it main is PID 1" {
        coffer run --rm --init "$image" sh -c 'echo $$; (sh -c "sleep 0.01 &" &); sleep 0.2; grep -l "^State:.Z" /proc/[0-9]*/status; true'
        expect_output 2
        coffer run --rm "$image" sh -c 'echo $$'
        expect_output 1
}

@test "exec has flags of its own: user, directory, environment, detached" {
        need_subids_or_root
        raw_coffer run -d --name one -e A=main -w /etc "$image" sleep 1000 > /dev/null
        expect_equal "main /etc 0" "$(raw_coffer exec one sh -c 'echo $A $PWD $(id -u)')"
        expect_equal "exec /tmp 1000" "$(raw_coffer exec -e A=exec -w /tmp -u user one sh -c 'echo $A $PWD $(id -u)')"
        printf 'A=file\n' > "$dir/env"
        expect_equal file "$(raw_coffer exec --env-file "$dir/env" one sh -c 'echo $A')"
        raw_coffer exec -d one sh -c 'echo yes > /tmp/written'
        written() { [ "$(raw_coffer exec one cat /tmp/written 2> /dev/null)" = yes ]; }
        until_true 10 written
        # An exec has what main has, and not more.
        expect_equal "$(raw_coffer exec one grep -E '^(Cap|NoNew|Seccomp:)' /proc/1/status)" \
                "$(raw_coffer exec one grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status)"
}

@test "--network none: loopback alone, and it is up" {
        rows << 'END'
                                 | ls /sys/class/net                    | lo
--network none                   | ls /sys/class/net                    | lo
                                 | nc -l -p 8080 -e echo up & timeout 10 sh -c "until nc 127.0.0.1 8080 2> /dev/null; do :; done" | up
                                 | nc -l -p 80 -e echo low & timeout 10 sh -c "until nc 127.0.0.1 80 2> /dev/null; do if ! kill -0 $!; then break; fi; done" 2> /dev/null | low
                                 | cat /proc/sys/net/ipv4/ip_unprivileged_port_start | 0
                                 | nc -w 1 192.0.2.1 80 2>&1            | nc: can't connect to remote host (192.0.2.1): Network is unreachable
END
}

@test "a box cannot fill what its home does not have: the write fails, the box goes on" {
        need_root
        export COFFER_HOME=$BATS_TEST_TMPDIR/small
        mkdir "$COFFER_HOME"
        run unshare -m --propagation private bash -c '
                mount -t tmpfs -o mode=700,size=2m test "$COFFER_HOME"
                "$@"; echo "status $?"' - "$COFFER_BIN_DIR/coffer" run --rm "$image" sh -c \
                'head -c 4000000 /dev/zero > /big; echo "write $?"; exit 9'
        [[ $output = *"write 1"*"status 9" ]] || explain "another end"
}

@test "--memory and --cpus are in the cgroup of the box" {
        need_limits
        coffer run --rm --memory 48m "$image" sh -c 'cat /sys/fs/cgroup/memory.max 2> /dev/null; true'
        expect_status 0
        raw_coffer run -d --name one --memory 48m --cpus 0.5 "$image" sleep 1000 > /dev/null
        expect_equal "50331648 500000000" "$(raw_coffer inspect -f '{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}' one)"
        # A program of 100 MiB does not live; one of 10 MiB does.
        coffer exec one sh -c 'head -c 104857600 /dev/zero | tail > /dev/null'
        [ "$status" != 0 ]
}

is_settled()
{
        (($(date +%s) - $(stat -c %Z "$1") > 1))
}

# An exec whose user is known shares the stem's memory, one whose is not is a copy: who it is, and
# what it holds, is the same, and what the files say counts at once.
@test "an exec is who the box's files say at that moment, time after time" {
        [ "$(id -u)" = 0 ] || need_subids
        local round wanted=$'uid=1000 gid=1000 groups=1000,2000 home=/home/user'

        until_true 5 is_settled "$root/etc/passwd"
        coffer run -d --name changing -u user "$image" /bin/sleep 1000
        expect_status 0
        who() { coffer exec "$@" /bin/sh -c 'echo "uid=$(id -u) gid=$(id -g) groups=$(id -G | tr " " ,) home=$HOME"'; }
        for round in 1 2 3; do
                who changing
                expect_output "$wanted"
        done
        for round in 1 2; do
                who -u 0 changing
                expect_output "uid=0 gid=0 groups=0 home=/root"
        done
        coffer exec -u 0 changing /bin/sed -i s/1000:1000::/1001:1001::/\;s/1000:1000:user:/1001:1001:user:/ /etc/passwd
        expect_status 0
        for round in 1 2; do
                who -u user changing
                expect_in_output "uid=1001 gid=1001 "
        done
        coffer exec -u 0 changing /bin/sh -c 'mv /etc/passwd /etc/other && ln -s other /etc/passwd'
        who -u user changing
        expect_in_output "uid=1001 gid=1001 "
        coffer exec -u 0 changing /bin/sh -c 'rm /etc/passwd && mkfifo /etc/passwd'
        who -u user changing
        expect_status 125
        coffer exec -u 0 changing true
        expect_status 125
}
