# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# What every test of the command line shares: `load helpers` at the top of the file.
#
#     @test "run passes on the exit status" {
#             coffer run --rm host -- sh -c 'exit 7'
#             expect_status 7
#     }
#
# `coffer …` runs the program that is under test, with its standard input empty and for at most
# $limit_s seconds (60); it never fails a test by itself, but leaves $status, $output (stdout) and $stderr behind.  Each test has its own home,
# and fails when it leaves a box, a process or a mount.

bats_require_minimum_version 1.5.0

setup()
{
        COFFER_BIN_DIR=${COFFER_BIN_DIR:-$(realpath "$BATS_TEST_DIRNAME/../../build/bin")}
        export COFFER_HOME=$BATS_TEST_TMPDIR/home
        mounts_before=$(mounts)
        if declare -F setup_test > /dev/null; then
                setup_test
        fi
}

teardown()
{
        local left=0

        if declare -F teardown_test > /dev/null; then
                teardown_test
        fi
        remove_boxes || left=1
        nothing_left || left=1
        return $left
}

# ---------------------------------------------------------------- running coffer

coffer()
{
        run --separate-stderr timeout --kill-after=5 "${limit_s:-60}" "$COFFER_BIN_DIR/coffer" "$@" \
                < /dev/null
}

# Not through `run`: for pipes, redirections and the background.
raw_coffer()
{
        "$COFFER_BIN_DIR/coffer" "$@"
}

# ---------------------------------------------------------------- what is expected

# explain WORD…: why the test fails, with what the last command said.
explain()
{
        printf '%s\n' "$*" "  status: ${status-}" "  stdout: ${output-}" "  stderr: ${stderr-}"
        return 1
}

expect_status()
{
        [ "$status" = "$1" ] || explain "expected status $1"
}

expect_output()
{
        [ "$output" = "$1" ] || explain "expected stdout: $1"
}

expect_in_output()
{
        [[ $output == *"$1"* ]] || explain "expected in stdout: $1"
}

expect_in_stderr()
{
        [[ $stderr == *"$1"* ]] || explain "expected in stderr: $1"
}

expect_no_output()
{
        [ -z "$output" ] || explain "expected nothing on stdout"
}

# One line that says what failed and why, and at most a second that begins with "hint:".
expect_one_line_error()
{
        local lines
        mapfile -t lines <<< "$stderr"
        [ -n "$stderr" ] || explain "expected a message"
        [ ${#lines[@]} -le 2 ] || explain "expected one line and a hint"
        [ ${#lines[@]} -eq 1 ] || [[ ${lines[1]} == *hint:* ]] || explain "the second line is no hint"
}

expect_equal()
{
        [ "$1" = "$2" ] || { printf 'expected: %s\ngot:      %s\n' "$1" "$2"; return 1; }
}

# until_true SECONDS COMMAND…: for what ends in its own time and gives nothing to wait on.
until_true()
{
        local end=$((SECONDS + $1))
        shift
        until "$@"; do
                [ $SECONDS -lt $end ] || { echo "never came true: $*"; return 1; }
                read -rt 0.05 <> <(:) || :
        done
}
export -f until_true # for the shells that a test starts

# ---------------------------------------------------------------- what a test needs

need_root()
{
        [ "$(id -u)" = 0 ] || skip "needs root"
}

need_user()
{
        [ "$(id -u)" != 0 ] || skip "needs an ordinary user"
}

need_subids()
{
        grep -q "^$(id -un):" /etc/subuid || skip "needs a range of subordinate ids"
}

need_program()
{
        command -v "$1" > /dev/null || skip "needs $1"
}

# need_limits: a cgroup in which a memory limit can be set.
need_limits()
{
        raw_coffer run --rm --memory 64m host -- true > /dev/null 2>&1 ||
                skip "needs a cgroup that takes limits"
}

# kernel_from MAJOR MINOR: whether it is this one or a newer one.
kernel_from()
{
        local major minor
        IFS=.- read -r major minor _ < <(uname -r)
        [ "$major" -gt "$1" ] || { [ "$major" = "$1" ] && [ "$minor" -ge "$2" ]; }
}

# only_when_full: for what takes minutes; ./check --full runs it.
only_when_full()
{
        [ "${COFFER_FULL:-0}" = 1 ] || skip "only in a full run"
}

# draw N: puts a number from 0 to N-1 into $drawn; COFFER_SEED and the test's name decide which.
draw()
{
        local sum
        draws=$((draws + 1))
        sum=$(printf '%s %s %s' "${COFFER_SEED:-1}" "$BATS_TEST_NAME" "$draws" | cksum)
        drawn=$((${sum%% *} % $1))
}
draws=0

# ---------------------------------------------------------------- what a test may leave

mounts()
{
        awk '{ print $3, $4, $5 }' /proc/self/mountinfo | sort
}

remove_boxes()
{
        local boxes

        [ -d "$COFFER_HOME" ] || return 0
        mapfile -t boxes < <(raw_coffer ps -a -q)
        [ ${#boxes[@]} -eq 0 ] || raw_coffer rm -f "${boxes[@]}" > /dev/null
}

# Processes of coffer whose home is this test's: their descriptors lie in it.
processes()
{
        local proc name
        for proc in /proc/[0-9]*; do
                { read -r name < "$proc/comm"; } 2> /dev/null || continue
                case $name in
                coffer | coffer-*) ;;
                *) continue ;;
                esac
                readlink "$proc/cwd" "$proc"/fd/* 2> /dev/null | grep -qF "$COFFER_HOME" &&
                        echo "${proc#/proc/} $(tr '\0' ' ' < "$proc/cmdline")"
        done
        return 0
}

no_processes()
{
        [ -z "$(processes)" ]
}

nothing_left()
{
        if ! until_true 10 no_processes; then
                echo "processes are left: $(processes)"
                return 1
        fi
        expect_equal "$mounts_before" "$(mounts)" || return 1
        if [ -d "$COFFER_HOME/boxes" ]; then
                expect_equal "" "$(ls -A "$COFFER_HOME/boxes")" || return 1
        fi
}
