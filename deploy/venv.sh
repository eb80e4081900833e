# Sourced by demo.sh and tests/run.sh: a virtual environment in .venv, without sudo.
# Works also where Debian's python3 comes without pip and without ensurepip (package python3-venv).

find_python() {
    for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "streamwatch needs Python 3.11 or newer; found $(python3 --version 2>&1). Set PYTHON=/path/to/python." >&2
    return 1
}

# pip's own wheel can run pip before pip is installed.
bootstrap_pip() {
    .venv/bin/python - <<'PY'
import json, os, re, ssl, subprocess, sys, tempfile, urllib.request

index = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
ask = urllib.request.Request(f"{index}/pip/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
with urllib.request.urlopen(ask, timeout=60) as answer:
    files = json.load(answer)["files"]
wheels = [f for f in files if re.fullmatch(r"pip-[0-9.]+-py3-none-any\.whl", f["filename"]) and not f.get("yanked")]
newest = max(wheels, key=lambda f: tuple(map(int, f["filename"].split("-")[1].split("."))))
path = os.path.join(tempfile.mkdtemp(), newest["filename"])
with urllib.request.urlopen(newest["url"], timeout=60) as answer, open(path, "wb") as out:
    out.write(answer.read())
sys.exit(subprocess.call([sys.executable, f"{path}/pip", "install", "--quiet", path]))
PY
}

make_venv() {
    if [ ! -x .venv/bin/python ]; then
        python=$(find_python) || return 1
        echo "Making .venv with $("$python" --version)" >&2
        # A venv that ensurepip left half done is made again without it.
        "$python" -m venv .venv >/dev/null 2>&1 || { rm -rf .venv; "$python" -m venv --without-pip .venv; } || return 1
    fi
    .venv/bin/python -m pip --version >/dev/null 2>&1 || bootstrap_pip
}

# install NAME REQUIREMENT...: pip, but only when pyproject.toml or the requirements changed since NAME was installed.
install() {
    stamp=".venv/.installed-$1"
    shift
    wanted="$(cksum <pyproject.toml) $*"
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "Installing $*" >&2
        .venv/bin/python -m pip install --quiet --disable-pip-version-check "$@" || return 1
        echo "$wanted" >"$stamp"
    fi
}

# opencv-python wants libGL and libglib from the system. Where they are missing and nobody may install them,
# the headless build of the same version serves: streamwatch opens no window.
check_opencv() {
    .venv/bin/python -c 'import cv2' 2>/dev/null && return
    version=$(.venv/bin/python -c 'from importlib.metadata import version as v; print(v("opencv-python"))') || return 1
    echo "opencv-python lacks system libraries here; installing opencv-python-headless $version instead" >&2
    .venv/bin/python -m pip uninstall --quiet --yes opencv-python
    .venv/bin/python -m pip install --quiet "opencv-python-headless==$version"
}
