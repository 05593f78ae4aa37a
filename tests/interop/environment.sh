#!/usr/bin/env bash
# Creates the Python environment of the interop checks below runs/: transformers, PEFT, torch, pyarrow, safetensors and ONNX
# Runtime from PyPI. Only these checks use it. An environment with other versions is created again.
set -euo pipefail
cd "$(dirname "$0")/../.."
environment=runs/interop/venv
requirements=tests/interop/requirements.txt

missing() { echo "The interop checks require $1" >&2; exit 69; }
cmp -s "$requirements" "$environment/requirements.txt" && exit 0

command -v python3 >/dev/null || missing "python3 (apt-get install python3-venv)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  missing "Python 3.10 or newer, got $(python3 --version)"
echo "Creating $environment from PyPI: takes minutes and gigabytes" >&2
mkdir -p runs/interop
rm -rf "$environment"
python3 -m venv "$environment" >runs/interop/venv.log 2>&1 ||
  missing "python3 with venv (apt-get install python3-venv): $(tail -n 1 runs/interop/venv.log)"
"$environment/bin/python" -m pip install --quiet --requirement "$requirements" >runs/interop/venv.log 2>&1 ||
  missing "packages from PyPI: $(tail -n 1 runs/interop/venv.log)"
cp "$requirements" "$environment/requirements.txt"
