#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154,SC2016
#
# The audit log: what is in it, that it is there before what it tells of, that nobody changes it in
# silence, and what happens when it cannot be written.  src/audit has the rows of what verify finds.

load helpers

# log_of BOX: its file
log_of()
{
        raw_coffer inspect --format '{{.Audit.Path}}' "$1"
}

records()
{
        python3 -B "$BATS_TEST_DIRNAME/ocsf.py" "$@"
}

# expect_broken BOX WORDS: verify says no, in one line
expect_broken()
{
        coffer audit verify "$1"
        expect_status 1
        expect_no_output
        expect_one_line_error
        expect_in_stderr "$2"
}

expect_intact()
{
        coffer audit verify "$1"
        expect_status 0
        expect_in_output "intact: yes"
}

kill_shim()
{
        local pid
        pid=$(raw_coffer inspect --format '{{.Identity.Pid}}' "$1")
        kill -9 "$pid"
        raw_coffer wait "$1" > /dev/null || :
}

escape_program()
{
        realpath "${ESCAPE_BIN:-$COFFER_BIN_DIR/../tests/escape/escape}"
}

@test "every kind of record is an event of OCSF 1.8.0, and tells no argument and no variable" {
        local log place=() id
        [ "$(id -u)" = 0 ] || place=(unshare --user --map-root-user)

        coffer run -d --name b --restart on-failure:1 -e TOKEN=geheim-1 \
                --health-cmd "true geheim-2" --health-interval 100ms --stop-timeout 0 \
                host sh -c 'trap "exit 7" USR1; while :; do sleep 0.05; done; : geheim-3'
        expect_status 0
        coffer exec -e TOKEN=geheim-4 b sh -c 'exit 3' geheim-5
        expect_status 3
        run -127 raw_coffer exec b /no/such/program
        log=$(log_of b)
        has_probe() { grep -q '"role":"health".*"exit_code":0\|"exit_code":0.*"role":"health"' "$log"; }
        until_true 10 has_probe
        coffer kill -s USR1 b
        restarted() { grep -q '"activity_name":"Restart"' "$log"; }
        until_true 10 restarted
        runs() { [ "$(raw_coffer inspect --format '{{.State.Status}}' b)" = running ]; }
        until_true 10 runs
        if coffer pause b && [ "$status" = 0 ]; then
                coffer unpause b
                expect_status 0
        fi
        coffer stop b
        expect_status 0
        coffer update --pids-limit 100 b
        expect_status 0
        raw_coffer export b > "$BATS_TEST_TMPDIR/tar"
        coffer start b
        kill_shim b
        expect_intact b
        id=$(raw_coffer inspect --format '{{.Id}}' b)
        coffer logs --audit b
        expect_status 0
        expect_in_output "LIFECYCLE:STOP [MED] b host FAILED [shim died]"
        coffer rm b
        expect_intact "$id"

        run --separate-stderr "${place[@]}" "$(escape_program)" without capbset-drop 1 \
                "$COFFER_BIN_DIR/coffer" run --rm --allow-degraded bounding-set host true
        [ "$status" != 77 ] || skip "$stderr"
        expect_status 0
        run --separate-stderr records "$COFFER_HOME"/audit/*.jsonl
        expect_status 0
        for kind in "6002 Start Informational" "1007 Launch Informational main" \
                "1007 Launch Informational exec" "1007 Terminate Informational exec" \
                "1007 Launch Medium exec" "1007 Launch Informational health" \
                "1007 Terminate Informational health" "1007 Terminate Informational main" \
                "6002 Restart Informational" "6002 Stop Informational" "6002 Stop Medium" \
                "3004 Update Informational" "1007 Launch Informational helper" \
                "6002 Remove Informational" "2004 Create High"; do
                grep -qxF "$kind" <<< "$output" || explain "no record: $kind"
        done
        run ! grep -r geheim "$COFFER_HOME/audit"
        # What validates is refused when it is spoiled.
        for spoil in 's/"class_uid":6002/"class_uid":6001/' 's/"severity_id":1/"severity_id":4/' \
                's/"type_uid":/"typ_uid":/' 's/"status":"Success"/"status":"Well"/'; do
                sed "$spoil" "$log" > "$BATS_TEST_TMPDIR/spoilt"
                run --separate-stderr records "$BATS_TEST_TMPDIR/spoilt"
                expect_status 1
        done
}

@test "a degraded control is told before main runs, and main's command only after" {
        local place=()
        [ "$(id -u)" = 0 ] || place=(unshare --user --map-root-user)

        # Main looks at the log itself: by then its own finding is there.
        mkdir -p "$COFFER_HOME"
        run --separate-stderr "${place[@]}" "$(escape_program)" without capbset-drop 1 \
                "$COFFER_BIN_DIR/coffer" run --rm --allow-degraded bounding-set \
                -v "$COFFER_HOME:/home-of-coffer:ro" host \
                sh -c 'cat /home-of-coffer/audit/*.jsonl'
        [ "$status" != 77 ] || skip "$stderr"
        expect_status 0
        expect_in_output '"finding_info":{"uid":"degraded-bounding-set"'
        [[ $output == *Launch*degraded-bounding-set* ]] || explain "the order is another one"
        [[ $output != *Terminate* ]] || explain "main has ended already"
}

@test "what is changed, removed, moved or cut is found, and so is a log that was written anew" {
        local log head
        coffer run -d --name b --stop-timeout 0 host sleep 1000
        for _ in 1 2 3; do
                coffer exec b true
        done
        log=$(log_of b)
        head=$(raw_coffer audit verify -q b)
        expect_intact b
        coffer stop b
        coffer audit verify --head "$head" b
        expect_status 0
        expect_in_output "since the head given: 2"
        cp -r "$COFFER_HOME/audit" "$BATS_TEST_TMPDIR/kept"

        while IFS='|' read -r script words; do
                echo "$script"
                (cd "$COFFER_HOME/audit" && sh -c "${script//LOG/$log}")
                expect_broken b "$words"
                rm -rf "$COFFER_HOME/audit"
                cp -r "$BATS_TEST_TMPDIR/kept" "$COFFER_HOME/audit"
        done << 'ROWS'
sed -i "3s/exec/exeC/" LOG|line 3: this record was changed
sed -i 4d LOG|line 4: records before this one were removed (record 4)
sed -i "4{h;d};5{G}" LOG|line 4: this record is not in its place
sed -i "\$d" LOG|the newest records were removed
truncate -s -20 LOG|the newest records were removed
rm LOG|the log is gone
rm *.head|the head is missing
rm -r ../audit|the log is gone
ROWS
        expect_intact b
        coffer audit verify --head "${head//[0-9]/0}" b
        expect_status 1
        expect_in_stderr "no record has the head that was given"
        # The next start goes on with what is left, and says for good that something is missing.
        sed -i '$d' "$log"
        coffer start b
        expect_status 0
        expect_broken b "says that the log was changed before it"
        coffer logs --audit b
        expect_in_output "FINDING:CREATE [HIGH] the audit log was cut: cut"
}

@test "kill -9 of the monitor while it writes loses nothing, and the next start repairs" {
        local log writer at
        coffer run -d --name b --stop-timeout 0 host sleep 1000
        log=$(log_of b)
        for _ in 1 2 3; do
                at=$(wc -l < "$log")
                (while timeout 20 "$COFFER_BIN_DIR/coffer" exec b true; do :; done) \
                        < /dev/null > /dev/null 2>&1 3>&- &
                writer=$!
                grown() { [ "$(wc -l < "$log")" -gt $((at + 3)) ]; }
                until_true 20 grown
                kill_shim b
                wait "$writer"
                expect_intact b
                printf '{"metadata":{"sequence":99' >> "$log"
                coffer audit verify b
                expect_status 0
                expect_in_output "torn: 26 bytes"
                coffer start b
                expect_status 0
                expect_intact b
                [[ $output != *torn* ]] || explain "the torn record is still there"
        done
        coffer logs --audit b
        expect_in_output "LIFECYCLE:REPAIR [LOW]"
        coffer inspect --format '{{.Audit.Dropped}}' b
        expect_output 0
}

# The limit on the size of a file stands for a full disk: it needs no rights.
limited_coffer()
{
        run --separate-stderr bash -c 'ulimit -f 12; exec timeout 60 "$@"' bash \
                "$COFFER_BIN_DIR/coffer" "$@" < /dev/null
}

@test "a log that cannot be written refuses new processes, or is counted when that was asked for" {
        limited_coffer run -d --name strict --stop-timeout 0 host sleep 1000
        limited_coffer run -d --name loose --audit best-effort --stop-timeout 0 host sleep 1000
        expect_status 0
        for _ in {1..20}; do
                coffer exec strict true
                [ "$status" = 0 ] || break
        done
        expect_status 125
        expect_one_line_error
        expect_in_stderr "write the audit log of box"
        expect_in_stderr "File too large"
        for _ in {1..20}; do
                coffer exec loose true
                expect_status 0
        done
        for box in strict loose; do
                expect_intact $box
                [[ $output != *"dropped: 0"* ]] || explain "nothing was counted"
                coffer inspect --format '{{.Audit.Mode}} {{.Audit.Dropped}}' $box
                [ "${output##* }" -gt 0 ] || explain "inspect does not say it"
                coffer stop $box
                expect_status 0
        done
        # With room again the record says what is missing.
        coffer start strict
        expect_status 0
        coffer logs --audit strict
        expect_in_output "[dropped before: "
}

@test "on a full file system a box does not start, unless it may do without" {
        need_root
        COFFER_BIN_DIR=$COFFER_BIN_DIR unshare --mount --propagation private bash -eu -c '
                mkdir -p "$COFFER_HOME/audit"
                mount -t tmpfs -o size=16k,mode=700 none "$COFFER_HOME/audit"
                coffer=$COFFER_BIN_DIR/coffer
                "$coffer" run -d --name b --stop-timeout 0 host sleep 1000
                head -c 1m /dev/zero > "$COFFER_HOME/audit/filler" || :
                while "$coffer" exec b true; do :; done
                rm "$COFFER_HOME/audit/filler"
                "$coffer" exec b true
                "$coffer" audit verify b
                head -c 1m /dev/zero > "$COFFER_HOME/audit/filler" || :
                "$coffer" run --rm host true && exit 9
                "$coffer" run --rm --audit best-effort host true
                "$coffer" rm -f b
        ' > "$BATS_TEST_TMPDIR/out" 2> "$BATS_TEST_TMPDIR/err" || explain "$(cat "$BATS_TEST_TMPDIR/err")"
        [ "$(grep -c "write the audit log of box" "$BATS_TEST_TMPDIR/err")" = 2 ] ||
                explain "$(cat "$BATS_TEST_TMPDIR/err")"
        grep -q "dropped: [1-9]" "$BATS_TEST_TMPDIR/out"
}

@test "the log of a box outlives it, and prune --audit removes it" {
        local id
        coffer run --cidfile "$BATS_TEST_TMPDIR/cid" --rm host true
        expect_status 0
        id=$(cat "$BATS_TEST_TMPDIR/cid")
        expect_intact "$id"
        expect_in_output "records: 5"
        coffer audit show "$id"
        expect_in_output '"activity_name":"Remove"'
        coffer run -d --name b --stop-timeout 0 host sleep 1000
        coffer prune --audit --older-than 1h --force
        expect_intact "$id"
        coffer prune --audit --dry-run
        expect_in_output "$id"
        expect_intact "$id"
        coffer prune --audit --force
        expect_status 0
        coffer audit verify "$id"
        expect_status 1
        expect_in_stderr "there is no audit log of box $id"
        expect_intact b
}
