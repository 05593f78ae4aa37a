#!/usr/bin/env bash
# Makes the Python environment of the harness checks below runs/: lm-evaluation-harness, transformers and torch from PyPI. Only these
# checks use it. Makes it again if serve_requirements.txt has changed.
set -euo pipefail
cd "$(dirname "$0")/../.."
environment=runs/harness/served
requirements=tests/harness/serve_requirements.txt

missing() { echo "The harness checks require $1" >&2; exit 69; }
cmp -s "$requirements" "$environment/serve_requirements.txt" && exit 0

command -v python3 >/dev/null || missing "python3 (apt-get install python3-venv)"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  missing "Python 3.10 or newer, got $(python3 --version)"
echo "Making $environment from PyPI: takes minutes and gigabytes" >&2
mkdir -p runs/harness
[ -x "$environment/bin/python" ] || python3 -m venv "$environment" >runs/harness/venv.log 2>&1 ||
  missing "python3 with venv (apt-get install python3-venv): $(tail -n 1 runs/harness/venv.log)"
"$environment/bin/python" -m pip install --quiet --requirement "$requirements" >runs/harness/venv.log 2>&1 ||
  missing "packages from PyPI: $(tail -n 1 runs/harness/venv.log)"
cp "$requirements" "$environment/serve_requirements.txt"
