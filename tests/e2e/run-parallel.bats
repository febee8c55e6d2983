#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# Many at once and many one after the other: nothing is lost, nothing is left, nothing grows.

load helpers
load places

setup_test()
{
        use_root
        full=${COFFER_FULL:-0}
}

# at_once COUNT COMMAND…: so many at a time, with their number as last argument; each has its output in
# a file, and none may fail.
at_once()
{
        local count=$1 i pid bad=0 pids=()
        shift
        for ((i = 1; i <= count; i++)); do
                timeout --kill-after=5 60 "$@" "$i" > "$BATS_TEST_TMPDIR/out.$i" 2>&1 < /dev/null &
                pids+=($!)
        done
        for ((i = 1; i <= count; i++)); do
                wait "${pids[i - 1]}" && continue
                echo "call $i failed: $(< "$BATS_TEST_TMPDIR/out.$i")"
                bad=1
        done
        return $bad
}

@test "20 boxes at once on one home, which none of them has used before" {
        local i
        before=$(traces)
        at_once 20 "$COFFER_BIN_DIR/coffer" run --rm "$image" echo box
        for ((i = 1; i <= 20; i++)); do
                expect_equal "box $i" "$(< "$BATS_TEST_TMPDIR/out.$i")"
        done
        nothing_new "$before"
}

@test "20 calls of every kind at once on one home" {
        local i
        raw_coffer run -d --name stays "$image" sleep 1000 > /dev/null
        before=$(traces)
        calls=$BATS_TEST_TMPDIR/calls
        cat > "$calls" << 'END'
                set -e
                coffer=$1 image=$2 i=$3
                case $((i % 5)) in
                0) [ "$("$coffer" exec stays echo "$i")" = "$i" ] ;;
                1) "$coffer" ps -a | grep -q stays ;;
                2) "$coffer" inspect stays > /dev/null ;;
                3) "$coffer" create --name "box$i" "$image" true
                   "$coffer" start -a "box$i"
                   "$coffer" rm "box$i" ;;
                4) "$coffer" run -d --name "box$i" "$image" sleep 1000
                   "$coffer" rm -f "box$i" ;;
                esac
END
        at_once 20 bash "$calls" "$COFFER_BIN_DIR/coffer" "$image"
        nothing_new "$before"
}

@test "20 at once want one name: one has it, 19 are told" {
        local i has=0 told=0
        for ((i = 1; i <= 20; i++)); do
                raw_coffer create --name same "$image" true \
                        > "$BATS_TEST_TMPDIR/out.$i" 2> "$BATS_TEST_TMPDIR/err.$i" &
        done
        wait
        for ((i = 1; i <= 20; i++)); do
                [ -s "$BATS_TEST_TMPDIR/out.$i" ] && has=$((has + 1))
                grep -q "'same' is taken" "$BATS_TEST_TMPDIR/err.$i" && told=$((told + 1))
        done
        expect_equal "1 19" "$has $told"
        coffer ps -aq
        expect_equal 1 "${#lines[@]}"
}

@test "20 at once start one box, and 20 stop it: it runs once and ends once" {
        local i started=0
        raw_coffer create --name one "$image" sh -c 'echo begin; exec sleep 1000' > /dev/null
        for ((i = 1; i <= 20; i++)); do
                raw_coffer start one > "$BATS_TEST_TMPDIR/out.$i" 2>&1 &
        done
        wait
        coffer inspect -f '{{.State.Status}}' one
        expect_output running
        until_true 10 has_begun
        expect_equal begin "$(raw_coffer logs one)"
        at_once 20 "$COFFER_BIN_DIR/coffer" stop -t 1 one || cat "$BATS_TEST_TMPDIR"/out.*
        coffer inspect -f '{{.State.Status}}' one
        expect_output exited
}

has_begun()
{
        [ -n "$(raw_coffer logs one)" ]
}

@test "20 at once remove one box: it is gone, and nothing of it is left" {
        before=$(traces)
        raw_coffer run -d --name one "$image" sleep 1000 > /dev/null
        at_once 20 "$COFFER_BIN_DIR/coffer" rm -f one
        coffer ps -aq
        expect_output ""
        nothing_new "$before"
}

# cycles COUNT: boxes made, started, used and removed, of every kind in turn.
cycles()
{
        local i
        for ((i = 0; i < $1; i++)); do
                case $((i % 4)) in
                0) raw_coffer run --rm "$image" true ;;
                1) raw_coffer create --name cycle "$image" true
                   raw_coffer start -a cycle
                   raw_coffer rm cycle ;;
                2) raw_coffer run -d --name cycle -v "$BATS_TEST_TMPDIR:/mnt:ro" "$image" sleep 1000
                   raw_coffer exec cycle true
                   raw_coffer rm -f cycle ;;
                3) raw_coffer run --name cycle "$image" sh -c 'echo x > /file; exit 3' && return 1
                   raw_coffer rm cycle ;;
                esac > /dev/null || return 1
        done
}

@test "boxes made, run and removed again and again leave everything as before" {
        before=$(traces sockets)
        cycles $((full ? 200 : 32))
        if [ "$(id -u)" = 0 ]; then
                nothing_new "$before" sockets
        else
                nothing_new "$before"
        fi
        # One more file for each box would be found above; so would one that only grows be here.
        expect_equal "" "$(find "$COFFER_HOME" -size +1024k)"
}

open_files()
{
        find "/proc/$1/fd" -mindepth 1 | wc -l
}

same_open_files()
{
        [ "$(open_files "$shim") $(open_files "$init")" = "$1" ]
}

@test "a box that lives long keeps no descriptor, process or memory of its many execs and visitors" {
        need_root
        local shim init i rss
        raw_coffer run -d --name long "$image" sleep 1000 > /dev/null
        shim=$(pgrep -xf "coffer-shim $(raw_coffer ps -q --no-trunc)")
        init=$(pgrep -P "$shim")
        raw_coffer exec long true
        before="$(open_files "$shim") $(open_files "$init")"
        rss=$(awk '/^VmRSS/ { print $2 }' "/proc/$shim/status")
        for ((i = 0; i < (full ? 200 : 40); i++)); do
                raw_coffer exec long true
                raw_coffer exec -t long true > /dev/null
                raw_coffer exec long no-such-command 2> /dev/null && return 1
                raw_coffer exec -d long true > /dev/null
                timeout 0.05 "$COFFER_BIN_DIR/coffer" attach --sig-proxy=false long < /dev/null > /dev/null || :
        done
        until_true 10 same_open_files "$before"
        # main and the shell that counts
        expect_equal 2 "$(raw_coffer exec long sh -c 'set -- /proc/[0-9]*; echo $#')"
        [ "$(awk '/^VmRSS/ { print $2 }' "/proc/$shim/status")" -lt $((rss + 2048)) ]
}
