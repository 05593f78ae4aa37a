# Functions of the tests on clusters. `work` is an empty directory for this test.
rm -rf "$work" && mkdir -p "$work"
say() { printf '\n== %s [%d s]\n' "$*" "$SECONDS"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
require() {
  for tool; do
    command -v "$tool" >/dev/null || { echo "This test requires $tool, which is not installed" >&2; exit 69; }
  done
}
# The quickstart, shortened: two members, two iterations, few updates and prompts.
head -n 16 fixtures/quickstart/eval.jsonl >"$work/few.jsonl"
pipeline() {
  local run=$1
  shift
  deno task --quiet pipeline --run-dir "$run" --threads 1 --input eval_prompts="$work/few.jsonl" \
    --set members.count=2 --set ppo.count=2 --set sft.max_updates=12 --set members.sft.max_updates=6 \
    --set members.sft.min_updates=1 "$@"
}
# Waits until a stage of a run is in progress.
wait_for() {
  for ((i = 0; i < 600; i++)); do
    if deno task --quiet status "$1" --json 2>/dev/null | grep -q "\"running\":\[{\"stage\":\"$2\""; then return; fi
    sleep 0.2
  done
  fail "$2 did not start"
}
# Compares the outputs of a run with those of the run without a cluster.
same() {
  for file in policy/model.safetensors evals.arrow reward/reward.json; do
    cmp "$work/here/outputs/$file" "$work/$1/outputs/$file" || fail "$1: other bytes in $file"
  done
  echo "the outputs have the bytes of the run without a cluster"
}
# Prints the seconds between the start of each stage and its first message: minimum, median, maximum.
starts() {
  deno eval "
    const lines = Deno.readTextFileSync('$1/run.jsonl').trim().split('\n').map((line) => JSON.parse(line));
    const begun = new Map(), waits = [];
    for (const event of lines) {
      const id = [event.stage, event.index, event.iteration].join();
      if (event.type === 'stage_started') begun.set(id, event.time);
      if (event.type === 'stage_progress' && begun.has(id)) { waits.push((event.time - begun.get(id)) / 1000); begun.delete(id); }
    }
    waits.sort((a, b) => a - b);
    console.log(waits.length + ' stages:', waits[0], waits[waits.length >> 1], waits.at(-1), 's');
  "
}
