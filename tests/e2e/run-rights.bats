#!/usr/bin/env bats
# shellcheck disable=SC2013,SC2016,SC2030,SC2031,SC2154
#
# What a process of a box holds, for every way it can start and every place that coffer is started
# in: exactly what it should, or the box does not start.  `escape rights` says what it holds, `escape
# without` makes a host where a call of confinement fails, or says "done" and does nothing.

bats_require_minimum_version 1.5.0
load helpers

caps_root=00000000800004fb # chown dac_override fowner fsetid kill setgid setuid net_bind_service setfcap
caps_none=0000000000000000
caps_full=000001ffffffffff

# small_root DIR: of busybox, with users and groups.
small_root()
{
        local root=$1 applet

        mkdir -p "$root"/{bin,etc,dev,proc,sys,tmp,home}
        chmod 755 "$root" && chmod 1777 "$root/tmp"
        install -m 755 "$(command -v busybox)" "$root/bin/busybox"
        for applet in sh cat grep true ps sleep; do
                ln -s busybox "$root/bin/$applet"
        done
        printf 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n' > "$root/etc/passwd"
        printf '%s\n' root:x:0: user:x:1000: team:x:2000:user more:x:2001:user none:x:2002: \
                > "$root/etc/group"
}

setup_file()
{
        small_root "$BATS_FILE_TMPDIR/root"
        install -m 755 "$(escape_program)" "$BATS_FILE_TMPDIR/root/escape"
}

escape_program()
{
        realpath "${ESCAPE_BIN:-${COFFER_BIN_DIR:-$BATS_TEST_DIRNAME/../../build/bin}/../tests/escape/escape}"
}

setup_test()
{
        root=$BATS_FILE_TMPDIR/root
        image=dir:$root
        escape=$(escape_program)
}

# rights UID GID GROUPS CAPS BOUND SECUREBITS [BACK]: the line that such a process prints.
rights()
{
        echo "uid=$1,$1,$1,$1 gid=$2,$2,$2,$2 groups=$3 inh=$caps_none prm=$4 eff=$4 bnd=$5" \
                "amb=$caps_none nnp=1 seccomp=2 securebits=$6 back=${7:-EPERM}"
}

of_root()
{
        rights 0 0 "" "${1:-$caps_root}" "${1:-$caps_root}" e0 is-root
}

expect_rights()
{
        expect_status 0
        expect_output "$1"
}

# on_terminal COFFER-ARGUMENT…: script(1) makes one.
on_terminal()
{
        run timeout 30 script -qec "$(printf '%q ' "$COFFER_BIN_DIR/coffer" "$@")" /dev/null < /dev/null
        output=${output//$'\r'/}
}

# What is only one id cannot have another user.
need_range()
{
        coffer run --rm -u 1000 "$image" /bin/true
        [ "$status" = 0 ] || skip "needs a range of ids"
}

@test "main has what it should, whatever starts it" {
        coffer run --rm "$image" /escape rights
        expect_rights "$(of_root)"
        coffer run --rm --init "$image" /escape rights
        expect_rights "$(of_root)"
        coffer run --rm --read-only "$image" /escape rights
        expect_rights "$(of_root)"
        coffer run --rm --cap-drop ALL "$image" /escape rights
        expect_rights "$(of_root "$caps_none")"
        coffer run --rm --cap-add ALL "$image" /escape rights
        expect_rights "$(of_root "$caps_full")"
        coffer run --rm --entrypoint /escape "$image" rights
        expect_rights "$(of_root)"
        coffer create --name twice "$image" /escape rights
        coffer start -a twice
        expect_rights "$(of_root)"
        coffer start -a twice
        expect_rights "$(of_root)"
}

@test "on a terminal it has the same" {
        on_terminal run --rm -t "$image" /escape rights
        expect_rights "$(of_root)"
}

@test "an exec has what main has, and no more" {
        coffer run -d --name held "$image" /escape hold
        coffer exec held /escape rights
        expect_rights "$(of_root)"
        on_terminal exec -t held /escape rights
        expect_rights "$(of_root)"
        coffer run -d --name bare --cap-drop ALL "$image" /escape hold
        coffer exec bare /escape rights
        expect_rights "$(of_root "$caps_none")"
}

@test "a user has no capability and no way back" {
        need_range
        coffer run --rm -u 1000:1000 "$image" /escape rights
        expect_rights "$(rights 1000 1000 "" $caps_none $caps_none e3)"
        coffer run --rm -u 1000:1000 --cap-add CHOWN --cap-add NET_RAW "$image" /escape rights
        expect_rights "$(rights 1000 1000 "" $caps_none 0000000000002001 e3)"
        coffer run -d --name held "$image" /escape hold
        coffer exec -u 1000:1000 held /escape rights
        expect_rights "$(rights 1000 1000 "" $caps_none $caps_none e3)"
        on_terminal exec -t -u 1000:1000 held /escape rights
        expect_rights "$(rights 1000 1000 "" $caps_none $caps_none e3)"
        # Root's group is not root.
        coffer exec -u 1000:0 held /escape rights
        expect_rights "$(rights 1000 0 "" $caps_none $caps_none e3)"
}

@test "groups are exactly those of the box's files and of --group-add" {
        need_range
        local user

        for user in user 1000 user:user; do
                coffer run --rm -u "$user" "$image" /escape rights
                expect_status 0
                echo "$user: $output"
                case $user in
                user:user) expect_in_output " gid=1000,1000,1000,1000 groups= " ;;
                *) expect_in_output " gid=1000,1000,1000,1000 groups=2000,2001 " ;;
                esac
        done
        coffer run --rm -u user --group-add none "$image" /escape rights
        expect_in_output "groups=2000,2001,2002 "
        coffer run --rm -u 4242 "$image" /escape rights # in no file
        expect_rights "$(rights 4242 0 "" $caps_none $caps_none e3)"
        coffer run --rm -u 4242:4243 --group-add 4244 "$image" /escape rights
        expect_rights "$(rights 4242 4243 4244 $caps_none $caps_none e3)"
        for user in nobody-such user:no-group 70000 -1 "1000:" " 1000" 0x3e8; do
                coffer run --rm -u "$user" "$image" /escape rights
                expect_status 125
                expect_no_output
        done
}

@test "the caller's groups stay outside" {
        need_root
        need_program setpriv
        # shellcheck disable=SC2030,SC2031
        run --separate-stderr setpriv --groups 4,24,1000 \
                "$COFFER_BIN_DIR/coffer" run --rm "$image" /escape rights
        expect_rights "$(of_root)"
}

# status_of_helper: of the process in the box that reads an archive, as one line.
status_of_helper()
{
        raw_coffer exec held /bin/sh -c 'for p in /proc/[0-9]*; do
                [ "$(cat $p/comm)" = escape ] || [ ${p#/proc/} = $$ ] || ! grep -q coffer-init $p/status ||
                        grep -E "^(CapPrm|CapBnd|CapAmb|CapInh|NoNewPrivs|Seccomp):" $p/status
        done' < /dev/null | tr -s '\t\n' ' '
}

@test "what copies files in has what the box's root has" {
        local fifo=$BATS_TEST_TMPDIR/fifo said
        mkfifo "$fifo"
        coffer run -d --name held "$image" /escape hold
        raw_coffer cp - held:/tmp < "$fifo" > /dev/null 2>&1 3>&- &
        exec 8> "$fifo"
        is_there()
        {
                said=$(status_of_helper)
                [[ $said == *Seccomp:\ 2* ]]
        }
        until_true 20 is_there || said=$(raw_coffer exec held /bin/ps)
        exec 8>&-
        wait || :
        expect_equal "CapInh: $caps_none CapPrm: $caps_root CapBnd: $caps_root CapAmb: $caps_none NoNewPrivs: 1 Seccomp: 2 " "$said"
}

# ---------------------------------------------------------------- places

# With a single id nobody may set groups: the caller's own, which is the box's 0, stays.
own_group_aside()
{
        output=${output/ groups=0 / groups= }
}

@test "without CAP_SETPCAP around it a box still holds exactly what it should" {
        need_program capsh
        local place=(capsh --drop=cap_setpcap)

        [ "$(id -u)" = 0 ] || place=(unshare --user --map-root-user "${place[@]}")
        run --separate-stderr "${place[@]}" -- -c "grep CapBnd /proc/self/status >&2
                exec $COFFER_BIN_DIR/coffer run --rm $image /escape rights"
        (( (0x$(awk '/CapBnd/ { print $2 }' <<< "$stderr") & 0x100) == 0 )) ||
                explain "the place has CAP_SETPCAP"
        own_group_aside
        expect_rights "$(of_root)"
}

@test "root of a user namespace with one id makes boxes as whole as any" {
        run --separate-stderr unshare --user --map-root-user \
                "$COFFER_BIN_DIR/coffer" run --rm "$image" /escape rights
        [ "$status" != 1 ] || skip "no user namespace here: $stderr"
        own_group_aside
        expect_rights "$(of_root)"
}

# without CALL ERRNO COFFER-ARGUMENT…
without()
{
        local place=() call=$1 answer=$2
        shift 2

        [ "$(id -u)" = 0 ] || place=(unshare --user --map-root-user)
        run --separate-stderr "${place[@]}" "$escape" without "$call" "$answer" \
                "$COFFER_BIN_DIR/coffer" "$@" < /dev/null 9< /etc
        [ "$status" != 77 ] || skip "$stderr"
}

# A row: the call, the errno it gets (0: done, and it was not), what coffer says.
refusals=(
        "capbset-drop 1 bounding-set: cannot be cleared, left: all but CAP_CHOWN"
        "capbset-drop 22 bounding-set: cannot be cleared, left: all but CAP_CHOWN"
        "capbset-drop 0 bounding-set: cannot be cleared, left: all but CAP_CHOWN"
        "capbset-read 1 bounding-set: cannot be cleared, left:"
        "capbset-read 22 bounding-set: cannot be cleared, left:"
        "securebits 1 securebits: lock them"
        "securebits 0 securebits: were set but did not stay"
        "no-new-privs 1 set no_new_privs"
        "no-new-privs 0 no_new_privs did not stay"
        "capset 1 capabilities: set them"
        "capset 0 capabilities: were set but did not stay"
        "seccomp 1 seccomp: install the filter"
        "seccomp 0 seccomp: the filter was installed and does not filter"
        "landlock 1 landlock: enter the domain"
        "landlock 0 landlock: the domain was entered and does not hold"
        "close-range 0 descriptors: were closed and stayed open"
)

@test "where a control cannot be had, or is only said to be, nothing starts" {
        local row call answer words

        for row in "${refusals[@]}"; do
                read -r call answer words <<< "$row"
                without "$call" "$answer" run --rm "$image" /escape rights
                echo "$row: $stderr"
                expect_status 125
                expect_no_output
                expect_one_line_error
                expect_in_stderr "coffer: $words"
        done
}

@test "the cause is named" {
        without capbset-drop 1 run --rm "$image" /escape rights
        expect_in_stderr "hint: a seccomp filter around coffer refuses it"
        without securebits 1 run --rm "$image" /escape rights
        expect_in_stderr "hint: a seccomp filter around coffer refuses it"
        without capbset-drop 1 doctor
        expect_status 1
        expect_in_output "clear the bounding set: Operation not permitted; a seccomp filter around coffer refuses it"
}

@test "where groups and ids cannot be set, or are only said to be, nothing starts" {
        need_root
        need_program setpriv
        local call answer

        for call in setgroups setresuid setresgid; do
                for answer in 1 22 0; do
                        run --separate-stderr setpriv --groups 4,24 \
                                "$escape" without $call $answer \
                                "$COFFER_BIN_DIR/coffer" run --rm "$image" /escape rights
                        echo "$call $answer: $stderr"
                        expect_status 125
                        expect_no_output
                        expect_one_line_error
                done
        done
}

@test "without close_range descriptors are closed one by one" {
        local place=()

        [ "$(id -u)" = 0 ] || place=(unshare --user --map-root-user)
        for answer in 1 38; do
                without close-range $answer run --rm "$image" /bin/sh -c 'echo /proc/self/fd/*'
                expect_status 0
                [[ $output != *fd/9* ]] || explain "the caller's descriptor is there"
        done
}

@test "a bounding set that may stay is told, and nothing else gives way" {
        without capbset-drop 1 run -d --name stays --allow-degraded bounding-set "$image" /escape hold
        expect_status 0
        # With one id nobody gives up the caller's own group.
        local groups=''
        [ "$(id -u)" = 0 ] || groups=0
        coffer exec stays /escape rights
        expect_rights "$(rights 0 0 "$groups" $caps_root $caps_full e0 is-root)"
        coffer inspect --format '{{json .}}' stays
        [[ $(tr -d ' \n' <<< "$output") == *'"control":"bounding-set","wanted":"allowed-degraded","state":"degraded","detail":"bounding-set:cannotbecleared'* ]] ||
                explain "the posture does not say so"
        # One wall at a time.
        for control in seccomp no-new-privs landlock; do
                coffer run --rm --allow-degraded "bounding-set,$control" "$image" /bin/true
                expect_status 125
        done
        # Where it can be cleared it is, although it might have stayed.
        coffer run --rm --allow-degraded bounding-set "$image" /escape rights
        expect_rights "$(of_root)"
}

# ---------------------------------------------------------------- in a container of podman's

# A root for the container: busybox, coffer and the box's root below it.
make_container()
{
        container=$BATS_TEST_TMPDIR/container
        small_root "$container"
        mkdir "$container/coffer"
        find "$COFFER_BIN_DIR/" -maxdepth 1 -type f -perm -100 -exec cp -t "$container/coffer" {} +
        cp -a "$root" "$container/box"
        chmod -R go+rX "$container"
}

# in_podman OPTION…: a box in such a container, as root or rootless.
in_podman()
{
        local runtime=()

        command -v runc > /dev/null && runtime=(--runtime runc)
        run --separate-stderr timeout 60 env XDG_RUNTIME_DIR="$BATS_TEST_TMPDIR/run" \
                podman --root "$BATS_TEST_TMPDIR/podman" --runroot "$BATS_TEST_TMPDIR/run" \
                --cgroup-manager cgroupfs "${runtime[@]}" run --rm --network none \
                --ulimit nofile=1024:1024 --ulimit nproc=4000:4000 --tmpfs /home "$@" \
                --rootfs "$container" /bin/sh -c 'grep CapEff /proc/self/status >&2
                        COFFER_HOME=/home/coffer /coffer/coffer run --rm dir:/box /escape rights
                        echo "coffer: $?" >&2' < /dev/null
}

teardown_test()
{
        # Rootless podman leaves a process that keeps its namespaces.
        local pid
        for pid in $(cat "$BATS_TEST_TMPDIR"/run/libpod/tmp/pause.pid \
                "$BATS_TEST_TMPDIR"/run/libpod/pause.pid 2> /dev/null); do
                kill "$pid" 2> /dev/null || :
        done
        # What a rootless one made belongs to the user's other ids.
        if [ -d "$BATS_TEST_TMPDIR/podman" ] && [ "$(id -u)" != 0 ]; then
                unshare --user --map-root-user --map-auto rm -rf "$BATS_TEST_TMPDIR/podman"
        fi
}

@test "in podman, with and without CAP_SETPCAP, a box holds exactly what it should" {
        need_program podman
        local open=(--security-opt seccomp=unconfined --security-opt unmask=ALL)
        local all=() drop

        make_container
        mkdir "$BATS_TEST_TMPDIR/run"
        # Root needs all of its capabilities; a rootless container's root needs none of the host's.
        [ "$(id -u)" != 0 ] || all=(--cap-add ALL)
        for drop in "" --cap-drop=SETPCAP; do
                # shellcheck disable=SC2086
                in_podman "${open[@]}" "${all[@]}" $drop
                [[ $stderr == *coffer:\ [0-9]* ]] || skip "podman does not run here: ${stderr##*$'\n'}"
                echo "podman ${all[*]} $drop: $stderr"
                [[ $stderr == *"coffer: 0"* ]] || explain "no box"
                expect_output "$(of_root)"
        done
}

@test "in a plain container of podman's no box starts, and coffer says why" {
        need_program podman
        make_container
        mkdir "$BATS_TEST_TMPDIR/run"
        in_podman
        [[ $stderr == *coffer:\ [0-9]* ]] || skip "podman does not run here: ${stderr##*$'\n'}"
        [[ $stderr == *"coffer: 125"* ]] || explain "it ended otherwise"
        expect_no_output
        [[ $stderr == *hint:* ]] || explain "no hint"
}

# sleepers BOX SECONDS: how many processes sleep so long in it
sleepers()
{
        raw_coffer exec "$1" sh -c 'cat /proc/[0-9]*/cmdline' | tr '\0' ' ' | grep -o "sleep $2 " | wc -l
}

has_sleepers()
{
        [ "$(sleepers box "$2")" = "$1" ]
}

@test "a kernel without signals for groups by pidfd: an exec that is ended takes its group along" {
        without signal-group 22 run -d --name box "$image" /bin/sleep 1000
        expect_status 0
        # One child that would outlive its leader, and one that does not mind SIGTERM.
        local leader
        for leader in "sleep 1001" "exec sleep 1001"; do
                run --separate-stderr "$COFFER_BIN_DIR/coffer" exec --timeout 500ms box sh -c \
                        "sleep 1001 & (trap '' TERM; exec sleep 1001) & $leader"
                [ "$status" -ne 0 ] || explain "it was to time out"
                until_true 10 has_sleepers 0 1001
        done
        # And those of others stay.
        raw_coffer exec -d box sh -c 'sleep 1002 & sleep 1002'
        until_true 10 has_sleepers 2 1002
        raw_coffer exec --timeout 200ms box sleep 1001 || true
        expect_equal "2 0" "$(sleepers box 1002) $(sleepers box 1001)"
        coffer rm -f box
        expect_status 0
}
