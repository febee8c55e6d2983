# SPDX-License-Identifier: Apache-2.0
# Boxes that another version of coffer started: what every version can do, and how the rest is
# refused.

load helpers

# with_shim NAME: the programs under test, but for the shim.
with_shim()
{
        local shim=$COFFER_BIN_DIR/../tests/shims/coffer-shim-$1
        [ -x "$shim" ] || skip "needs the shims of other versions (tests/shims)"
        other=$BATS_TEST_TMPDIR/other
        mkdir "$other"
        cp "$COFFER_BIN_DIR"/coffer{,-init,-unpack} "$other"
        cp "$shim" "$other/coffer-shim"
        "$other/coffer" run -d --name old host -- \
                sh -c 'trap "exit 3" TERM; while :; do sleep 1000 & wait; done' > /dev/null
}

@test "a box of another major version can be seen, stopped, killed and removed" {
        with_shim major
        id=$(readlink "$COFFER_HOME/names/old")
        coffer ps --format '{{.Names}} {{.State}}'
        expect_output "old running"
        coffer ls -q
        expect_output "$id"
        coffer inspect --format '{{.State.Status}} {{.Identity.Version}}' old
        expect_output "running 9.0.0"

        local words
        for words in "exec old true" "attach --no-stdin old" "exec -d old true" "cp old:/etc/passwd -"; do
                # shellcheck disable=SC2086
                coffer $words
                [ "$status" -ne 0 ] || explain "$words: it was not refused"
                expect_in_stderr "box $id was started by coffer 9.0.0, this is"
                expect_one_line_error
        done

        coffer kill -s USR1 old # it has no handler: the kernel drops it
        expect_status 0
        coffer rm old
        expect_status 1
        expect_in_stderr "is running"
        coffer stop old
        expect_status 0
        coffer wait old
        expect_output 3

        "$other/coffer" start old > /dev/null
        coffer kill old
        expect_status 0
        coffer wait old
        expect_output 137
        "$other/coffer" start old > /dev/null
        coffer rm -f old
        expect_status 0
        coffer ps -a -q
        expect_no_output
}

@test "a box of an older minor version does what it knows and names what it does not" {
        with_shim older
        coffer exec old echo hi
        expect_output hi
        coffer inspect --format '{{.Identity.Version}}' old
        expect_output 0.0.9
        # Detaching came later than this shim.
        printf '%s\n' raw 'send \x10\x11' \
                'expect was started by coffer 0.0.9, which does not know DETACH yet' 'end 125' |
                timeout 60 python3 "$BATS_TEST_DIRNAME/terminal.py" \
                        "$COFFER_BIN_DIR/coffer" exec -it old sleep 1000
        coffer exec old true
        expect_status 0
        coffer stop old
        expect_status 0
}
