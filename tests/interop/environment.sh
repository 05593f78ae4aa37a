#!/usr/bin/env bash
# Makes the Python environment of the interop checks below runs/: transformers, PEFT, torch, pyarrow, safetensors and ONNX
# Runtime from PyPI, used as oracles and by nothing that ships. An environment of other versions is made again.
set -euo pipefail
cd "$(dirname "$0")/../.."
environment=runs/interop/venv
requirements=tests/interop/requirements.txt

cannot() { echo "Cannot check interoperation as $1" >&2; exit 69; }
cmp -s "$requirements" "$environment/requirements.txt" && exit 0

command -v python3 >/dev/null || cannot "python3 must be installed: it is not (apt-get install python3-venv)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  cannot "python3 must be 3.10 or newer: it is $(python3 --version)"
echo "Making $environment from PyPI: some minutes, some gigabytes" >&2
mkdir -p runs/interop
rm -rf "$environment"
python3 -m venv "$environment" >runs/interop/venv.log 2>&1 ||
  cannot "python3 must have venv: $(tail -n 1 runs/interop/venv.log) (apt-get install python3-venv)"
"$environment/bin/python" -m pip install --quiet --requirement "$requirements" >runs/interop/venv.log 2>&1 ||
  cannot "PyPI must be reachable and have the packages: $(tail -n 1 runs/interop/venv.log)"
cp "$requirements" "$environment/requirements.txt"
