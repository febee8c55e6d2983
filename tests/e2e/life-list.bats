# SPDX-License-Identifier: Apache-2.0
# Lists of boxes: fast because of a cache, and true in spite of it.

load helpers

make_listing()
{
        local i
        for i in $(seq 16); do
                raw_coffer create --rm --name "calm$i" --label "n=$i" host -- sleep 1000 > /dev/null
        done
        raw_coffer create --name kept host -- sleep 1000 > /dev/null
        for i in "$@"; do
                raw_coffer run -d --name "$i" host -- sleep 1000 > /dev/null
        done
        until_true 30 listing_is_made
}

# It is made once enough boxes have been left alone for two seconds.
listing_is_made()
{
        raw_coffer ps -a > /dev/null
        [ -e "$COFFER_HOME/listing" ]
}

shim_of()
{
        sed -n 's/^pid //p' "$COFFER_HOME/boxes/$(readlink "$COFFER_HOME/names/$1")/identity"
}

# Where the kernel gives processes a number of their own (Linux 6.9); before, none that runs is.
all_are_listed()
{
        local name
        grep -q '^pid_inode' "$COFFER_HOME/boxes/$(readlink "$COFFER_HOME/names/stays")/identity" ||
                return 0
        rm -f "$COFFER_HOME/listing"
        raw_coffer ps -a > /dev/null
        [ -e "$COFFER_HOME/listing" ] || return 1
        for name in stays stops dies killed paused; do
                grep -qa "$name" "$COFFER_HOME/listing" || return 1
        done
}

rows()
{
        coffer ps -a --format '{{.ID}} {{.Names}} {{.State}} {{.Status}} {{.Labels}} {{.Command}} {{.Image}}'
}

is_failed()
{
        [[ $(raw_coffer ps -a --filter "name=$1" --format '{{.Status}}') == "Failed (shim died)"* ]]
}

@test "what happens to a box that is in the listing shows at once" {
        make_listing
        rows
        local listed=$output
        rm "$COFFER_HOME/listing"
        rows
        expect_equal "$output" "$listed"
        expect_equal 17 "$(wc -l <<< "$listed")"
        until_true 30 listing_is_made

        coffer cp /etc/passwd calm5:/tmp/
        expect_status 0
        coffer ps -a --filter name=calm5 --format '{{.Names}} {{.Status}}'
        expect_output "calm5 Created"
        coffer start kept
        expect_status 0
        coffer ps -q --filter name=kept --filter status=running
        [ -n "$output" ] || explain "the running box is missing"
        coffer rename calm2 other
        coffer ps -a --filter name=other --format '{{.Names}} {{.Status}}'
        expect_output "other Created"
        coffer rm calm3
        coffer ps -a --filter name=calm3 -q
        expect_no_output
        coffer stop -t 0 kept
        coffer ps -a --filter name=kept --format '{{.Names}} {{.State}} {{.Status}}'
        expect_in_output "kept exited Exited (137)"

        coffer start kept
        kill -KILL "$(shim_of kept)"
        until_true 10 is_failed kept
}

@test "what happens to a running box that is in the listing shows at once" {
        make_listing stays stops dies killed paused
        until_true 30 all_are_listed
        coffer stop -t 0 stops
        coffer pause paused
        [ "$status" -eq 0 ] || paused_is=running # no freezer here
        kill -KILL "$(shim_of dies)"
        coffer kill killed
        coffer wait killed
        until_true 10 is_failed dies
        rows
        local box
        for box in stays:running "paused:${paused_is-paused}" dies:failed killed:exited stops:exited; do
                expect_in_output " ${box%:*} ${box#*:} "
        done
        # Whose number the listing has may be anybody by now: the process is asked for.
        coffer ps --filter name=stays --format '{{.Status}}'
        [[ $output == Up* ]] || explain "it runs"
        coffer unpause paused
        coffer rm -f stays stops dies killed paused
        expect_status 0
}

@test "a listing that is torn, garbage, or of other boxes changes nothing" {
        make_listing
        rows
        local expected=$output listing=$COFFER_HOME/listing
        cp "$listing" "$BATS_TEST_TMPDIR/good"
        local size
        size=$(stat -c %s "$listing")
        truncate -s $((size / 2)) "$listing"
        rows
        expect_equal "$expected" "$output"
        head -c "$size" /dev/urandom > "$listing"
        rows
        expect_equal "$expected" "$output"
        rm -f "$listing"
        ln -s /etc/passwd "$listing"
        rows
        expect_equal "$expected" "$output"
        rm -f "$listing"
        mkdir "$listing"
        rows
        expect_equal "$expected" "$output"
        rmdir "$listing"
        # Restored from a backup: the same ids, in directories that are others.
        cp "$BATS_TEST_TMPDIR/good" "$listing"
        cp -a "$COFFER_HOME/boxes" "$COFFER_HOME/boxes.new"
        rm -r "$COFFER_HOME/boxes"
        mv "$COFFER_HOME/boxes.new" "$COFFER_HOME/boxes"
        rm "$COFFER_HOME"/boxes/*/meta.json
        coffer ps -a -q
        expect_no_output
}
