#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016,SC2034,SC2154
# Real programs of a real Debian, from an OCI archive and from a docker-archive.  make-debian.bash makes
# both, once for all who share $COFFER_CACHE.

load helpers

setup_file()
{
        export cache=${COFFER_CACHE:-${COFFER_TOP:-$BATS_FILE_TMPDIR}/cache}
        missing=
        for program in mmdebstrap python3; do
                command -v $program > /dev/null || missing="$program is not installed"
        done
        [ -n "$missing" ] || "$BATS_TEST_DIRNAME/make-debian.bash" "$cache" \
                > "$BATS_FILE_TMPDIR/debian.log" 2>&1 ||
                { cat "$BATS_FILE_TMPDIR/debian.log"; return 1; }
        export missing
}

# Layers of an ordinary user's store belong to his subordinate ids.
teardown_file()
{
        if [ "$(id -u)" = 0 ]; then
                rm -rf "${BATS_FILE_TMPDIR:?}/home"
        else
                unshare -U --map-root-user --map-auto rm -rf "${BATS_FILE_TMPDIR:?}/home"
        fi
}

setup_test()
{
        [ -z "$missing" ] || skip "$missing"
        [ "$(id -u)" = 0 ] || need_subids
        # One home for all tests: a layer is unpacked once.
        export COFFER_HOME=$BATS_FILE_TMPDIR/home
        images=("oci-archive:$cache/debian.oci.tar" "docker-archive:$cache/debian.docker.tar")
        dir=$BATS_TEST_TMPDIR/dir
        mkdir "$dir"
}

# layers: how many are unpacked.
layers()
{
        find "$COFFER_HOME/images" -mindepth 2 -maxdepth 2 -path '*/layers/*' | wc -l
}

@test "an image is unpacked once, however it is packed" {
        raw_coffer run --rm "${images[0]}" true
        expect_equal 1 "$(layers)"
        raw_coffer run --rm "${images[1]}" true
        raw_coffer run --rm "oci-archive:$cache/debian.oci.tar:test" true
        expect_equal 1 "$(layers)"
        coffer run --rm "oci-archive:$cache/debian.oci.tar:other" true
        expect_status 125
        expect_one_line_error
}

@test "what the image says: command, environment, directory, users, labels" {
        local image
        for image in "${images[@]}"; do
                expect_equal "yes /srv 0" "$(raw_coffer run --rm "$image" sh -c 'echo "$FROM_IMAGE $PWD $(id -u)"')"
                expect_equal "bash here" "$(echo 'echo "${BASH##*/} here"' | raw_coffer run --rm -i "$image")"
                expect_equal "www-data 33" "$(raw_coffer run --rm -u www-data "$image" sh -c 'echo "$(id -un) $(id -g)"')"
                raw_coffer create --name made "$image" > /dev/null
                expect_equal mmdebstrap "$(raw_coffer inspect -f '{{index .Config.Labels "made-by"}}' made)"
                raw_coffer rm made > /dev/null
        done
}

@test "a python3 script with files, processes, threads and a socket" {
        local image
        cat > "$dir/script.py" << 'END'
import os, socket, subprocess, sys, tempfile, threading
with tempfile.TemporaryDirectory() as where:
    with open(where + "/file", "w") as file:
        file.write("x" * 100000)
    assert os.path.getsize(where + "/file") == 100000
assert subprocess.run(["grep", "-c", "^root:", "/etc/passwd"], capture_output=True).stdout == b"1\n"
server = socket.create_server(("127.0.0.1", 0))
client = threading.Thread(target=lambda: socket.create_connection(server.getsockname()).sendall(b"hello"))
client.start()
assert server.accept()[0].recv(5) == b"hello"
client.join()
print(sys.version_info[0], *sys.argv[1:], sum(range(1001)))
sys.exit(17)
END
        for image in "${images[@]}"; do
                coffer run --rm -v "$dir/script.py:/script.py:ro" "$image" python3 /script.py "an argument"
                expect_status 17
                expect_output "3 an argument 500500"
        done
        expect_equal 42 "$(echo 'print(6 * 7)' | raw_coffer run --rm -i "${images[0]}" python3 -)"
}

@test "apt-get and dpkg" {
        local image
        for image in "${images[@]}"; do
                coffer run --rm "$image" apt-get --version
                expect_status 0
                [[ ${lines[0]} = "apt "[0-9]* ]]
                expect_equal "install ok installed" \
                        "$(raw_coffer run --rm "$image" dpkg-query -W -f '${Status}' gcc)"
                coffer run --rm "$image" dpkg --audit
                expect_status 0
                expect_output ""
        done
}

@test "gcc compiles and runs a program in a volume" {
        local image
        cat > "$dir/hello.c" << 'END'
#include <math.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
        printf("%s has %d arguments, root of 2 is %.3f\n", argv[0], argc - 1, sqrt(1.0 + argc));
        return getpid() > 0 ? argc : 0;
}
END
        for image in "${images[@]}"; do
                raw_coffer run --rm -v "$dir:/work" -w /work "$image" gcc -O2 -Wall -o hello hello.c -lm
                coffer run --rm -v "$dir:/work" -w /work "$image" ./hello
                expect_status 1
                expect_output "./hello has 0 arguments, root of 2 is 1.414"
                expect_equal "$(id -u)" "$(stat -c %u "$dir/hello")"
                rm "$dir/hello"
                # The same in a named volume, by an ordinary user of the box.
                raw_coffer run --rm -v src:/src -v "$dir/hello.c:/hello.c:ro" "$image" \
                        sh -c 'gcc -o /src/hello /hello.c -lm && chmod 755 /src'
                coffer run --rm -v src:/src:ro -u www-data "$image" /src/hello a b
                expect_status 3
                expect_output "/src/hello has 2 arguments, root of 2 is 2.000"
                raw_coffer volume rm src > /dev/null
        done
}

@test "a shell pipeline over the box's own files" {
        local image
        for image in "${images[@]}"; do
                coffer run --rm "$image" bash -o pipefail -c \
                        'find /usr/bin /usr/lib -type f -name "*[a-z]*" -print0 | sort -z | xargs -0 cat | gzip -1 | gunzip | sha256sum | tee /tmp/sum | cut -c 1-8 > /tmp/short; wc -c < /tmp/short; test -s /tmp/sum'
                expect_status 0
                expect_output 9
        done
        # The same bytes from either archive.
        expect_equal "$(raw_coffer run --rm "${images[0]}" sh -c 'tar -C / -cf - usr/lib/python3 var/lib/dpkg | sha256sum')" \
                "$(raw_coffer run --rm "${images[1]}" sh -c 'tar -C / -cf - usr/lib/python3 var/lib/dpkg | sha256sum')"
}

@test "several programs in one box that lives: install nothing, change a lot, keep the image" {
        raw_coffer run -d --name lives "${images[1]}" sleep 1000 > /dev/null
        raw_coffer exec lives sh -c 'echo changed > /etc/debian_version; rm -rf /usr/share/perl*; cp -a /usr/bin /var/copy'
        raw_coffer exec lives /var/copy/python3 -c 'import os; os.execvp("cat", ["cat", "/etc/debian_version"])' > "$dir/out"
        expect_equal changed "$(< "$dir/out")"
        raw_coffer rm -f lives > /dev/null
        [ "$(raw_coffer run --rm "${images[1]}" cat /etc/debian_version)" != changed ]
}
