#!/usr/bin/env bash
# Compares this program with lm-evaluation-harness 0.4.13 from PyPI: prompts and outcomes of benchmarks on generated cases
# (--cases N, --seed N), then models served by OpenAI's API (--data DIR with gsm8k and ifeval, --limit N).
#
#   deno task test:harness [outcomes|served] [flags]        without a word: both, with their defaults
set -euo pipefail
cd "$(dirname "$0")/../.."
part=both
case "${1:-}" in outcomes | served) part=$1 && shift ;; esac
python=runs/harness/venv/bin/python
common=(--no-prompt --allow-read --allow-write=runs/harness)
if [[ $part != served ]]; then
  bash tests/harness/environment.sh
  deno run "${common[@]}" --allow-ffi --allow-run="$python" tests/harness/harness.ts "$python" "$@"
fi
if [[ $part != outcomes ]]; then
  bash tests/harness/serve_environment.sh
  deno run "${common[@]}" --allow-env=INIT_CWD --allow-run="runs/harness/served/bin/python,$(deno run lib/app/deno_path.ts)" \
    tests/harness/serve_command.ts runs/harness/served/bin/python "$@"
fi
