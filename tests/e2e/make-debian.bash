#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make-debian.bash DIR: a small Debian with python3, gcc and apt, as DIR/debian.oci.tar (an OCI archive)
# and DIR/debian.docker.tar (a docker-archive), made by mmdebstrap.  What is there stays; many may ask at
# once.
set -eu -o pipefail
umask 022
dir=$1
here=$(dirname "$(realpath "$0")")
packages=python3-minimal,gcc,libc6-dev

[ ! -e "$dir/debian.docker.tar" ] || exit 0
mkdir -p "$dir"
exec 9> "$dir/lock"
flock 9
[ ! -e "$dir/debian.docker.tar" ] || exit 0

# Debian's own release and its mirror, as this machine knows them.
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
# Not in TMPDIR: an ordinary user's mmdebstrap works as one of his subordinate ids, which must get there.
work=$(mktemp -d /var/tmp/coffer-debian.XXXXXX)
chmod 711 "$work"
trap 'rm -rf "$work"' EXIT
# No documentation and no translations: half the size, and nothing here reads them.
TMPDIR=$work mmdebstrap --quiet --variant=minbase --include="$packages" \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --aptopt='Acquire::Languages none' \
        "$suite" "$work/layer.tar" < /dev/null
"$here/pack-image.py" "$work/layer.tar" "$work/debian.oci.tar" "$work/debian.docker.tar"
chmod 644 "$work"/debian.*.tar
mv "$work/debian.oci.tar" "$dir/"
mv "$work/debian.docker.tar" "$dir/" # the last: it says that both are there
