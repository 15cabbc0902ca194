#!/bin/sh
# Create .venv with the tested set of packages. PYTHON names the interpreter (3.11 or 3.12).
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3.11}
command -v "$PYTHON" >/dev/null 2>&1 || PYTHON=python3
"$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null || {
    echo "error: Python 3.11 or 3.12 is needed; name it with PYTHON=/path/to/python3.11 make ..." >&2
    exit 2
}
[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
.venv/bin/python -m pip install --quiet --upgrade pip
# torch goes first and alone: resolved together with the rest, an index may prefer a build with several gigabytes of CUDA.
.venv/bin/python -m pip install --quiet torch==2.13.0
.venv/bin/python -m pip install --quiet -c infra/constraints.txt -e '.[dev]'
