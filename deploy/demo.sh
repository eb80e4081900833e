#!/bin/sh
# The main job on embedded defaults: broker, cameras, model, rules, alerts. No sudo, nothing outside this folder.
#   sh deploy/demo.sh                              synthetic scenes as real RTSP cameras
#   sh deploy/demo.sh --camera rtsp://host/stream  your own camera instead
#   sh deploy/demo.sh --video FILE                 your own recording instead, served as a camera
set -eu
cd "$(dirname "$0")/.."
. deploy/venv.sh
make_venv
install serve -e .
check_opencv
exec .venv/bin/streamwatch demo "$@"
