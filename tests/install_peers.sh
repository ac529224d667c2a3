#!/bin/bash
# Install the outside programs that the tests compare with, where that is possible: by apt, as root or
# with sudo. A program that stays missing makes its tests skip with a reason (a failure under CI=true).
set -uo pipefail

declare -A package_of=(
    [storescu]=dcmtk [dcmdump]=dcmtk
    [dciodvfy]=dicom3tools
    [dcm2niix]=dcm2niix
    [gdcmanon]=libgdcm-tools
    [tesseract]=tesseract-ocr
    [strace]=strace
    [cc]=build-essential
    [genisoimage]=genisoimage
    [chromium]=chromium
    [chromium-headless-shell]=chromium-headless-shell # where it is not packed, tests use chromium
    [zsh]=zsh
    [mandoc]=mandoc
)

missing=()
for program in "${!package_of[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
[ ${#missing[@]} -eq 0 ] && exit 0
mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)

as_root=()
if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then
        as_root=(sudo)
    else
        echo "Not installed, so their tests are skipped: ${missing[*]} (apt install them)" >&2
        exit 0
    fi
fi
if ! command -v apt-get >/dev/null; then
    echo "Not installed, so their tests are skipped: ${missing[*]} (no apt here)" >&2
    exit 0
fi

export DEBIAN_FRONTEND=noninteractive
echo "Installing for the tests: ${missing[*]}"
"${as_root[@]}" apt-get update -qq || true
# One by one: what one distribution does not have must not keep the others out.
for package in "${missing[@]}"; do
    "${as_root[@]}" apt-get install -qq -y --no-install-recommends "$package" >/dev/null ||
        echo "Could not install $package; its tests are skipped" >&2
done
exit 0
