#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# What the commands say about real boxes: words, formats, statuses.

load helpers

# json_holds EXPRESSION: of d, the JSON value in $output, or the list of those on its lines.
json_holds()
{
        python3 -c '
import json, sys
text = sys.stdin.read()
try:
        d = json.loads(text)
except ValueError:
        d = [json.loads(line) for line in text.splitlines()]
sys.exit(not eval(sys.argv[1]))' "$1" <<< "$output" || explain "expected of the JSON: $1"
}

# start NAME [ARG…]: a box in the background that runs until it is stopped.
start()
{
        local name=$1
        shift
        raw_coffer run -d --name "$name" "$@" host sleep 1000 > /dev/null
}

@test "run passes on the exit status and says nothing of its own" {
        local code
        for code in 0 1 7 125 126 127 128 255; do
                coffer run --rm host sh -c "exit $code"
                expect_status "$code"
                expect_no_output
                expect_equal "" "$stderr"
        done
        coffer run --rm host sh -c 'echo out; echo err >&2'
        expect_output out
        expect_equal err "$stderr"
}

@test "one -- behind the image is dropped, and only one" {
        coffer run --rm host -- echo -- -d
        expect_status 0
        expect_output "-- -d"
        coffer run --rm host echo --rm
        expect_output --rm
}

@test "a command that is not there is 127, one that cannot be run is 126, and no box is left" {
        coffer run host no-such-command
        expect_status 127
        expect_one_line_error
        coffer run host /etc/passwd
        expect_status 126
        expect_one_line_error
        coffer ps -aq
        expect_output ""
}

@test "exec: statuses, stdin, environment" {
        start box
        coffer exec box sh -c 'exit 9'
        expect_status 9
        coffer exec box no-such-command
        expect_status 127
        coffer exec -e A=1 -w /tmp box sh -c 'echo $A $PWD'
        expect_output "1 /tmp"
        expect_equal "in" "$(echo in | raw_coffer exec -i box cat)"
        A=mine coffer exec -e A -e NOT_THERE box sh -c 'echo $A ${NOT_THERE-none}'
        expect_output "mine none"
        coffer exec no-such-box true
        expect_status 125
        expect_one_line_error
        coffer exec --timeout 200ms box sleep 1000
        expect_status 124
}

@test "without -i nothing is read from standard input" {
        local rest
        rest=$(printf 'one\ntwo\n' | { raw_coffer run --rm host true; cat; })
        expect_equal "one
two" "$rest"
}

@test "environment files: Docker's rules" {
        printf '# no\n\nA=1\n  B=two words\nMINE\nNOT_THERE\n' > "$BATS_TEST_TMPDIR/env"
        MINE=x coffer run --rm --env-file "$BATS_TEST_TMPDIR/env" -e A=2 host \
                sh -c 'echo "$A|$B|$MINE|${NOT_THERE-none}"'
        expect_output "2|two words|x|none"
}

@test "ps: columns, words, filters and formats" {
        start one --label app=web
        coffer create --name two host true
        expect_status 0
        coffer run --name three host sh -c 'exit 3'
        expect_status 3

        coffer ps
        expect_status 0
        [[ ${lines[0]} =~ ^"BOX ID         IMAGE"\ +"COMMAND"\ +"CREATED"\ +"STATUS"\ +"PORTS"\ +"NAMES"$ ]]
        expect_equal 2 "${#lines[@]}"
        [[ ${lines[1]} =~ \"sleep\ 1000\"\ .*" ago"\ +"Up "[A-Z1-9] ]]

        coffer ps -a --format '{{.Names}} {{.State}} {{.Status}}'
        expect_equal 3 "${#lines[@]}"
        [[ ${lines[0]} =~ ^"three exited Exited (3) "[A-Z1-9].*" ago"$ ]]
        expect_equal "two created Created" "${lines[1]}"
        [[ ${lines[2]} =~ ^"one running Up "[A-Z1-9] ]]

        coffer ps -aqf status=exited
        expect_equal 1 "${#lines[@]}"
        [[ $output =~ ^[a-z2-7]{12}$ ]]
        coffer ps -a --filter exited=3 --filter exited=4 --format '{{.Names}}'
        expect_output three
        coffer ps -f label=app --format '{{.Names}}'
        expect_output one
        coffer ps -f label=app=db -q
        expect_output ""
        coffer ps -a -f name=t -f status=created --format '{{.Names}}'
        expect_output two
        coffer ps -a -f before=two --format '{{.Names}}'
        expect_output one
        coffer ps -l --format '{{.Names}}'
        expect_output three
        coffer ps -n 2 --format '{{.Names}}'
        expect_output "three
two"
        coffer ps --format json
        json_holds 'd["Names"] == "one" and d["State"] == "running" and "app=web" in d["Labels"]'
        coffer ps --format 'table {{.Names}}\t{{.ID}}'
        [[ ${lines[0]} =~ ^"NAMES     BOX ID"$ ]]
        coffer ps --format '{{.Nothing}}'
        expect_status 1
        expect_one_line_error
        coffer ls -q
        [[ $output =~ ^[a-z2-7]{12}$ ]]
}

@test "inspect: an array, one line, a template, several boxes and missing ones" {
        start one
        coffer inspect one
        expect_status 0
        json_holds 'len(d) == 1 and d[0]["State"]["Status"] == "running" and d[0]["State"]["Running"]'
        [[ ${lines[0]} = "[" ]]
        coffer inspect --format json one
        expect_equal 1 "${#lines[@]}"
        coffer inspect -f '{{.State.Status}} {{.Name}}' one
        [[ $output =~ ^"running /"?"one"$ ]]
        coffer inspect one nobody
        expect_status 1
        expect_in_stderr nobody
        json_holds 'len(d) == 1'
        coffer inspect nobody
        expect_status 1
        expect_output "[]"
        coffer inspect --posture one
        expect_status 0
        expect_in_output seccomp
}

@test "stop, start, restart, kill, wait and rm: several at once, all tried" {
        start one --init
        start two --init
        coffer stop -t 5 one nobody two
        expect_status 1
        expect_output "one
two"
        expect_in_stderr nobody
        coffer start one two
        expect_output "one
two"
        coffer kill -s CONT one
        expect_status 0
        coffer kill one
        coffer wait one
        expect_output 137
        coffer restart two
        expect_status 0
        coffer rm one two
        expect_status 1
        expect_output one
        expect_one_line_error
        coffer rm -f two nobody
        expect_status 0
        expect_output two
        coffer rm nobody
        expect_status 1
}

@test "rm --all takes what does not run, with --force everything" {
        start one
        coffer create --name two host true
        coffer rm -a
        expect_status 0
        coffer ps -a --format '{{.Names}}'
        expect_output one
        coffer rm -af
        expect_status 0
        coffer ps -aq
        expect_output ""
}

@test "logs: streams apart, tail, times, follow to the end" {
        coffer run --name one host sh -c 'echo a; echo b; printf c; echo e >&2'
        expect_status 0
        coffer logs one
        expect_output "a
b
c"
        expect_equal e "$stderr"
        coffer logs -t one
        [[ ${lines[0]} =~ ^[0-9]{4}-[0-9-]+T[0-9:]+\.[0-9]{9}Z\ a$ ]]
        coffer logs -f one
        expect_status 0
        coffer logs --until 2000-01-01 one
        expect_output ""
        coffer logs --since 1h --tail all one
        [[ ${lines[0]} = a ]]
}

@test "logs: the last lines" {
        coffer run --name one host sh -c 'seq 100; printf end'
        coffer logs -n 3 one
        expect_output "99
100
end"
        coffer logs --tail=0 one
        expect_output ""
        coffer logs --tail all one
        expect_equal 101 "${#lines[@]}"
}

@test "run -d prints the id, and the cidfile holds it" {
        coffer run -d --cidfile "$BATS_TEST_TMPDIR/cid" host sleep 1000
        expect_status 0
        [[ $output =~ ^[a-z2-7]{12}$ ]]
        expect_equal "$output" "$(cat "$BATS_TEST_TMPDIR/cid")"
        coffer run -d --cidfile "$BATS_TEST_TMPDIR/cid" host sleep 1000
        expect_status 125
        expect_one_line_error
        coffer ps -q
        expect_equal 1 "${#lines[@]}"
}

@test "start -a passes on output and status" {
        coffer create --name one host sh -c 'echo hello; exit 4'
        coffer start -a one
        expect_status 4
        expect_output hello
        coffer start -a nobody
        expect_status 125
}

@test "signals reach the process, and its end is ours" {
        local pid
        start one
        "$COFFER_BIN_DIR/coffer" exec one sh -c 'trap "exit 42" USR1; echo ready; while :; do sleep 0.1; done' \
                > "$BATS_TEST_TMPDIR/out" &
        pid=$!
        until_true 10 grep -q ready "$BATS_TEST_TMPDIR/out"
        kill -USR1 "$pid"
        status=0
        wait "$pid" || status=$?
        expect_status 42
}

@test "a reader that goes away ends a foreground box" {
        limit_s=30
        run bash -c "set -o pipefail; '$COFFER_BIN_DIR/coffer' run --rm host yes | head -n 1"
        expect_output y
        until_true 15 no_boxes
}

no_boxes()
{
        [ -z "$(raw_coffer ps -q)" ]
}

@test "timeout ends a box with status 124" {
        coffer run --rm --timeout 300ms host sleep 1000
        expect_status 124
}

@test "rename, events and info" {
        coffer create --name one host true
        coffer rename one other
        expect_status 0
        coffer ps -a --format '{{.Names}}'
        expect_output other
        coffer events --since 1h --until 0s
        expect_status 0
        expect_in_output " container create "
        coffer events --since 1h --until 0s --format '{{.Action}}' -f event=create
        expect_output create
        coffer info
        expect_in_output "Boxes: 1"
        coffer info --format '{{.CofferHome}}'
        expect_output "$COFFER_HOME"
}

@test "volumes: made, listed, inspected, removed" {
        coffer volume create data
        expect_output data
        coffer volume ls -q
        expect_output data
        coffer volume ls
        [[ ${lines[0]} =~ ^"DRIVER    VOLUME NAME"$ ]]
        coffer volume inspect -f '{{.Name}}' data
        expect_output data
        coffer run --rm -v data:/data host sh -c 'echo kept > /data/file'
        expect_status 0
        coffer run --rm -v data:/data host cat /data/file
        expect_output kept
        coffer volume rm data nothing
        expect_status 1
        expect_output data
        coffer volume rm -f nothing
        expect_status 0
        coffer volume create --label a=b
        coffer volume prune -f
        expect_status 0
        expect_in_output "Total reclaimed space: "
        coffer volume ls -q
        expect_output ""
}

@test "cp: into a box, out of it, as an archive" {
        start one
        echo content > "$BATS_TEST_TMPDIR/file"
        coffer cp "$BATS_TEST_TMPDIR/file" one:/tmp/file
        expect_status 0
        expect_no_output
        coffer cp one:/tmp/file "$BATS_TEST_TMPDIR/back"
        expect_status 0
        expect_equal content "$(cat "$BATS_TEST_TMPDIR/back")"
        expect_equal content "$(raw_coffer cp one:/tmp/file - | tar -xO)"
        mkdir "$BATS_TEST_TMPDIR/dir"
        echo two > "$BATS_TEST_TMPDIR/dir/two"
        tar -C "$BATS_TEST_TMPDIR" -c dir | raw_coffer cp - one:/tmp
        coffer exec one cat /tmp/dir/two
        expect_output two
        coffer cp one:/no-such-file "$BATS_TEST_TMPDIR/x"
        expect_status 1
        expect_one_line_error
        coffer cp "$BATS_TEST_TMPDIR/no-such-file" one:/tmp
        expect_status 1
        expect_one_line_error
}

@test "diff and export" {
        need_program busybox
        mkdir -p "$BATS_TEST_TMPDIR/root/bin" "$BATS_TEST_TMPDIR/root/etc"
        cp "$(command -v busybox)" "$BATS_TEST_TMPDIR/root/bin/sh"
        echo old > "$BATS_TEST_TMPDIR/root/etc/old"
        coffer run --name one "dir:$BATS_TEST_TMPDIR/root" sh -c \
                'echo new > /etc/new; echo more >> /etc/old'
        coffer diff one
        expect_status 0
        expect_in_output "A /etc/new"
        expect_in_output "C /etc/old"
        coffer export -o "$BATS_TEST_TMPDIR/all.tar" one
        expect_status 0
        tar -tf "$BATS_TEST_TMPDIR/all.tar" | grep -q 'etc/new$'
        expect_equal new "$(raw_coffer export one | tar -xO --wildcards '*etc/new')"
        coffer export -o "$BATS_TEST_TMPDIR/no/such/dir" one
        expect_status 1
        expect_one_line_error
}

@test "doctor says what a box can rely on" {
        coffer doctor
        expect_in_output userns
        coffer doctor --format json
        expect_status 0
        json_holds '{"box", "landlock"} < {r["Control"] for r in d}'
        json_holds 'len(d) == len({r["Control"] for r in d})'
        COFFER_HOME=/proc/nothing coffer doctor
        expect_status 1
        expect_in_output "seccomp"
}

@test "completion offers the names of boxes" {
        start one
        coffer create --name other host true
        names()
        {
                PATH=$COFFER_BIN_DIR:$PATH bash -c '
                        source <(coffer completion bash)
                        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
                        _coffer
                        printf "%s\n" "${COMPREPLY[@]}" | sort | tr "\n" " "' bash "$@"
        }
        expect_equal "one other " "$(names coffer rm o)"
        expect_equal "one " "$(names coffer exec o)"
        expect_equal "other " "$(names coffer start o)"
}
