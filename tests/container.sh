#!/usr/bin/env bash
# Builds the image from this checkout and runs it without network, with a read-only root, without capabilities, as a user
# other than root. Requires buildah, podman and runc; without BASE also debootstrap, which builds the base image from
# Debian's mirror.
#
#   deno task test:container                          base image by debootstrap (half a minute more the first time)
#   BASE=docker.io/library/debian:bookworm-slim deno task test:container
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/runs/container
image=localhost/srppo:test
served=localhost/srppo-serve:test
token=0123456789abcdef0123456789abcdef
mkdir -p "$work"

say() { printf '\n== %s [%d s]\n' "$*" "$SECONDS"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
for tool in buildah podman tar; do
  command -v "$tool" >/dev/null || { echo "The container test requires $tool, which is not installed" >&2; exit 69; }
done

# Separate storage. The limits and the runtime are for hosts without systemd; on others they have no effect.
cat >"$work/storage.conf" <<CONF
[storage]
driver = "overlay"
graphroot = "$work/storage"
runroot = "$work/runroot"
CONF
cat >"$work/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
CONF
export CONTAINERS_STORAGE_CONF=$work/storage.conf CONTAINERS_CONF=$work/containers.conf
server=
trap '[[ -z "$server" ]] || podman rm -f -t 0 "$server" >/dev/null 2>&1 || true' EXIT

base=${BASE:-localhost/debian:bookworm-slim}
if [[ -z "${BASE:-}" ]] && ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  say "base image by debootstrap"
  rm -rf "$work/rootfs"
  debootstrap --variant=minbase --include=ca-certificates bookworm "$work/rootfs" >"$work/debootstrap.log" ||
    { tail "$work/debootstrap.log" >&2; fail "debootstrap"; }
  made=$(buildah from scratch)
  tar -C "$work/rootfs" -c . >"$work/rootfs.tar"
  buildah add -q "$made" "$work/rootfs.tar" / >/dev/null
  buildah commit -q --rm "$made" "$base" >/dev/null
  rm -rf "$work/rootfs" "$work/rootfs.tar"
fi

say "image of Deno: the local binary"
made=$(buildah from scratch)
buildah add -q "$made" "$(deno run lib/app/deno_path.ts)" /deno >/dev/null
buildah commit -q --rm "$made" localhost/deno:bin >/dev/null

say "build context: files that git tracks or would add, and packages, so that the build needs no network"
context=$work/context
rm -rf "$context" && mkdir -p "$context"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [[ ! -e "$file" ]] || printf '%s\0' "$file"
done | tar --null -T - -c | tar -C "$context" -x
(cd "$context" && DENO_DIR=$context/.deno deno install --frozen >"$work/install.log" 2>&1) ||
  { tail "$work/install.log" >&2; fail "deno install"; }

# Both images by digest, as docs/containers.md says.
by_digest() { echo "${1%:*}@$(podman image inspect -f '{{.Digest}}' "$1")"; }
pinned=(--build-arg BASE="$(by_digest "$base")" --build-arg DENO="$(by_digest localhost/deno:bin)")
build() {
  buildah bud -q --layers --format docker --isolation chroot --network host "${pinned[@]}" "$@" "$context" \
    >"$work/build.log" 2>&1 || { tail -n 20 "$work/build.log" >&2; fail "build"; }
}
say "build, with both images pinned to digests"
build -t "$image"
build -t "$served" --target serve
rm -rf "$context"
podman image inspect -f '{{.HealthCheck}}' "$served" | grep -q healthz || fail "the target serve has no HEALTHCHECK"
podman images --format '{{.Repository}}:{{.Tag}} {{.Size}}' "$image"

locked=(--read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges)
hard=(--rm --network none --memory 4g --pids-limit 200 "${locked[@]}")
data=$work/data
rm -rf "$data" && mkdir -p "$data" && chmod 777 "$data"
cp -r fixtures/quickstart fixtures/stories260k "$data/"
head -n 32 fixtures/quickstart/eval.jsonl >"$data/quickstart/few.jsonl"

say "doctor"
podman run "${hard[@]}" --entrypoint deno "$image" task --quiet doctor | tee "$work/doctor.txt"
grep -q 'Everything required is installed' "$work/doctor.txt" || fail "doctor"

# Runs a stage in the container, then outside. DATA is the data directory of each side, SIDE its output directory.
both() {
  local there=("${@//DATA//data}") here=("${@//DATA/$data}")
  podman run "${hard[@]}" -v "$data:/data" "$image" "${there[@]//SIDE/there}" || fail "$1 in the container"
  deno task --quiet stage "${here[@]//SIDE/here}" || fail "$1 outside"
}
same() { cmp "$data/here/$1" "$data/there/$1" || fail "bytes of $1"; }

say "stages, in the container and outside: equal bytes"
both tokenize --in.demonstrations DATA/quickstart/demos.jsonl --in.model DATA/stories260k \
  --out.train DATA/SIDE/train.arrow --out.prompts DATA/SIDE/prompts.arrow \
  --out.report DATA/SIDE/tokenize
same train.arrow
same prompts.arrow
both sft --in.tokens DATA/SIDE/train.arrow --in.model DATA/stories260k --max_updates 6 --batch_size 16 --lr 1e-3 \
  --seed 5 --out.policy DATA/SIDE/sft --out.metrics DATA/SIDE/sft.arrow
same sft/model.safetensors
same sft.arrow
both build-reward --in.members DATA/SIDE/sft --in.base DATA/stories260k --out.reward DATA/SIDE/reward \
  --out.report DATA/SIDE/calibration
same reward/reward.json
both rollout --in.prompts DATA/SIDE/prompts.arrow --in.policy DATA/SIDE/sft --prompts_per_iteration 16 --max_new_tokens 24 \
  --seed 5 --out.rollouts DATA/SIDE/rollouts.arrow
same rollouts.arrow
both score --in.rollouts DATA/SIDE/rollouts.arrow --in.reward DATA/SIDE/reward --in.sft DATA/SIDE/sft \
  --out.scored DATA/SIDE/scored.arrow
same scored.arrow

say "exit codes: 64 for an unknown stage, 65 for an invalid file"
code=0; podman run "${hard[@]}" "$image" tokenise >/dev/null 2>"$work/stderr" || code=$?
((code == 64)) || fail "exit code $code instead of 64: $(cat "$work/stderr")"
echo '{' >"$data/broken.jsonl"
code=0; podman run "${hard[@]}" -v "$data:/data" "$image" tokenize --in.demonstrations /data/broken.jsonl \
  --in.model /data/stories260k --out.train /data/x/t --out.validation /data/x/v --out.prompts /data/x/p \
  --out.eval_prompts /data/x/e --out.report /data/x/r 2>"$work/stderr" || code=$?
((code == 65)) || fail "exit code $code instead of 65: $(cat "$work/stderr")"

say "a short pipeline, in the container and outside: equal bytes"
short=(pipelines/quickstart.yaml --set sft.max_updates=24 --set members.count=2 --set members.sft.max_updates=24
  --set ppo.count=1 --set ppo.rollout.prompts_per_iteration=32 --set reward.calibration_prompts=32)
podman run "${hard[@]}" -v "$data:/data" --entrypoint deno "$image" task --quiet pipeline "${short[@]}" \
  --input eval_prompts=/data/quickstart/few.jsonl --run-dir /data/there/run
deno task --quiet pipeline "${short[@]}" --input eval_prompts="$data/quickstart/few.jsonl" --run-dir "$data/here/run" \
  >/dev/null
for file in policy/model.safetensors reward/reward.json evals.arrow; do same "run/outputs/$file"; done

serve() {
  server=$(podman run -d --network host "${locked[@]}" -e SRPPO_TOKEN="$token" -e PORT=18080 \
    -v "$data:/data" "$served")
  for _ in $(seq 200); do health >/dev/null 2>&1 && break; sleep 0.1; done
  health
  podman healthcheck run "$server" || fail "the health check"
}
health() { curl -fs http://127.0.0.1:18080/healthz && echo; }
# Stops the server with SIGTERM and checks its exit code.
stop() {
  podman stop -t 20 "$server" >/dev/null
  local code
  code=$(podman inspect -f '{{.State.ExitCode}}' "$server")
  [[ "$code" == "$1" ]] || fail "the server ended with $code instead of $1"
  podman rm "$server" >/dev/null
  server=
}

say "the server: requires its token, runs a stage, ends with 0"
serve
[[ $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18080/stages) == 401 ]] || fail "stages without a token"
curl -fsN -H "Authorization: Bearer $token" -H 'Content-Type: application/json' http://127.0.0.1:18080/stages/tokenize -d '{
  "inputs": { "demonstrations": "quickstart/demos.jsonl", "model": "stories260k" },
  "outputs": { "train": "served/train.arrow", "validation": "served/validation.arrow", "prompts": "served/prompts.arrow",
    "eval_prompts": "served/eval_prompts.arrow", "pairs": "served/pairs.arrow", "report": "served/report" } }' | tail -n 3
cmp "$data/here/train.arrow" "$data/served/train.arrow" || fail "bytes of the served stage"
stop 0

say "the server: SIGTERM while a stage runs saves a checkpoint and ends with 75"
rm -f "$work/events.txt"
serve
curl -fsN -H "Authorization: Bearer $token" -H 'Content-Type: application/json' http://127.0.0.1:18080/stages/sft -d '{
  "inputs": { "tokens": "served/train.arrow", "model": "stories260k" }, "params": { "max_updates": 100000 },
  "outputs": { "policy": "served/policy", "checkpoints": "served/checkpoints", "metrics": "served/metrics" } }' >"$work/events.txt" &
until grep -q '"step":2,' "$work/events.txt" 2>/dev/null; do kill -0 $! || fail "the served run"; sleep 0.1; done
health
stop 75
wait $! || true
tail -n 2 "$work/events.txt"
grep -q '"exit_code":75' "$work/events.txt" || fail "no event with exit code 75"
[[ -n $(ls "$data/.srppo/scratch") ]] || fail "no checkpoint was saved"

say "all passed"
