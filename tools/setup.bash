# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# What ./try and ./check share: packages of Debian, and how to become root.

# What it takes to build, and to build and run in a box.
build_packages=(gcc libc6-dev linux-libc-dev meson ninja-build pkg-config python3 musl-tools
        libseccomp-dev libjansson-dev libssl-dev libzstd-dev libisal-dev libcurl4-openssl-dev
        libinih-dev scdoc)
run_packages=(uidmap)

sudo=()
# become_able: fills $sudo with what runs a command as root; fails when nothing does.
become_able()
{
        [ "$(id -u)" = 0 ] && return 0
        command -v sudo > /dev/null || return 1
        sudo=(sudo)
        [ -t 0 ] || sudo=(sudo -n)
        "${sudo[@]}" true
}

# missing_packages PACKAGE…: those that are not installed, one a line.
missing_packages()
{
        local package
        for package; do
                # shellcheck disable=SC2016  # dpkg-query's own variable
                case $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2> /dev/null) in
                ii*) ;;
                *) echo "$package" ;;
                esac
        done
}

# install_packages PACKAGE…: through apt-get, as root.
install_packages()
{
        [ $# -gt 0 ] || return 0
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
                "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
                        --no-install-recommends install "$@" < /dev/null > /dev/null
}
