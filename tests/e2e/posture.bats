#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2154
# What a box says of its controls, and whether it is so.

load helpers

setup_test()
{
        schemas=$BATS_TEST_DIRNAME/../../docs/schema
        python3 -c 'import jsonschema' 2> /dev/null || skip "needs python3-jsonschema"
}

# fits SCHEMA [KEY] < JSON
fits()
{
        python3 "$BATS_TEST_DIRNAME/schema.py" "$schemas/$1.schema.json" "${@:2}"
}

# rows BOX FIELD VALUE: the controls whose row has this
rows()
{
        raw_coffer inspect --format '{{json .Posture}}' "$1" |
                python3 -c 'import json, sys
print(*[r["control"] for r in json.load(sys.stdin) if r[sys.argv[1]] == sys.argv[2]])' "$2" "$3"
}

@test "a default box enforces every control, and what can be seen from outside is seen" {
        raw_coffer run -d --name box host sleep 1000
        raw_coffer inspect --format json box | fits posture Posture
        expect_equal "cgroup.memory cgroup.cpu shim" "$(rows box state off)"
        expect_equal "cgroup.memory cgroup.cpu shim" "$(rows box wanted off)"
        expect_equal "" "$(rows box state degraded)"
        if [ "$(id -u)" = 0 ] && [ "$(< /proc/self/uid_map)" = "         0          0 4294967295" ]; then
                expect_equal "cgroup.memory cgroup.cpu landlock cgroup.pids nested-userns engine shim" \
                        "$(rows box verified '')"
        else
                # Who is not root of the host cannot see who is.
                [[ " $(rows box verified '') " != *" seccomp "* ]]
        fi
        # The one that is told of is the one that was there: none is missing, none is twice.
        expect_equal 18 "$(raw_coffer inspect --format '{{len .Posture}}' box)"
        coffer inspect --posture box
        expect_in_output "Seccomp 2"
        raw_coffer stop -t 0 box > /dev/null
        raw_coffer inspect --format json box | fits posture Posture
        coffer inspect --posture box
        [[ $output != *"Seccomp 2"* ]] || explain "it was read back from a box that does not run"
        raw_coffer events --since 0 --until "$(date +%s)" --format json | fits posture posture
}

@test "what was allowed to be lacking is told, enforced or not" {
        raw_coffer run -d --name box --allow-degraded landlock,cgroup --memory 64m host sleep 1000
        raw_coffer inspect --format json box | fits posture Posture
        [[ " $(rows box wanted allowed-degraded) " == *" landlock "* ]]
        [[ " $(rows box wanted allowed-degraded) " == *" cgroup.memory "* ]]
        expect_equal "" "$(rows box wanted required | grep -E 'landlock|cgroup.memory')"
}

@test "the names in the schema are those of the program" {
        coffer run --rm --require nothing host true
        expect_status 125
        expect_one_line_error
        expect_equal "$(python3 -c 'import json, sys
print(", ".join(json.load(open(sys.argv[1]))["items"]["properties"]["control"]["enum"]))' \
                "$schemas/posture.schema.json")" "$(sed -n '1s/.*they are //p' <<< "$stderr")"
}

@test "doctor's lines are as their schema says, and its exit status as its lines" {
        coffer doctor --format json
        fits doctor <<< "$output"
        expect_equal "$status" "$(python3 -c 'import json, sys
rows = [json.loads(line) for line in sys.stdin]
print(int(any(r["Needed"] == "yes" and r["State"] == "off" for r in rows)))' <<< "$output")"
        COFFER_HOME=/proc/nothing coffer doctor --format json
        expect_status 1
        fits doctor <<< "$output"
        for control in userns overlay bounding-set no-new-privs landlock seccomp; do
                expect_in_output "{\"Control\":\"$control\",\"State\":\"enforced\",\"Needed\":\"yes\""
        done
}

@test "doctor names the cause" {
        need_program unshare
        # No user namespaces below this one: its own sysctl, which is nobody else's.
        run --separate-stderr unshare --user --map-root-user bash -c \
                'echo 0 > /proc/sys/user/max_user_namespaces && exec timeout 60 "$1" doctor' \
                - "$COFFER_BIN_DIR/coffer"
        expect_status 1
        expect_in_output "user.max_user_namespaces is 0"
        expect_in_output "sysctl user.max_user_namespaces=15000"
}
