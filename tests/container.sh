#!/usr/bin/env bash
# Builds the image from this checkout and runs it as strangers will: without network, with a read-only root, without
# capabilities, as a user that is not root. Needs buildah, podman and runc; without BASE also debootstrap, which makes
# the base image from Debian's mirror.
#
#   deno task test:container                          base image by debootstrap (first time: half a minute)
#   BASE=docker.io/library/debian:bookworm-slim deno task test:container
set -euo pipefail
cd "$(dirname "$0")/.."
work=$PWD/runs/container
image=localhost/srppo:test
mkdir -p "$work"

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
for tool in buildah podman tar; do
  command -v "$tool" >/dev/null || { echo "Cannot test the container as $tool must be installed: it is not" >&2; exit 69; }
done

# A storage of our own. The limits and the runtime are for hosts without systemd; elsewhere they do no harm.
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

say "image of Deno: the binary that runs this"
made=$(buildah from scratch)
buildah add -q "$made" "$(deno run lib/app/deno_path.ts)" /deno >/dev/null
buildah commit -q --rm "$made" localhost/deno:bin >/dev/null

say "build context: what git would commit, and packages so that the build needs no network"
context=$work/context
rm -rf "$context" && mkdir -p "$context"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [[ ! -e "$file" ]] || printf '%s\0' "$file"
done | tar --null -T - -c | tar -C "$context" -x
(cd "$context" && DENO_DIR=$context/.deno deno install --frozen >/dev/null)

say "build"
buildah bud -q --isolation chroot --network host --build-arg BASE="$base" --build-arg DENO=localhost/deno:bin \
  -t "$image" "$context" >/dev/null
rm -rf "$context"
podman images --format '{{.Repository}}:{{.Tag}} {{.Size}}' "$image"

hard=(--rm --network none --read-only --cap-drop all --security-opt no-new-privileges --memory 4g --pids-limit 200)
data=$work/data
rm -rf "$data" && mkdir -p "$data" && chmod 777 "$data"
cp -r fixtures/quickstart fixtures/stories260k "$data/"

say "doctor"
podman run "${hard[@]}" --entrypoint deno "$image" task --quiet doctor | tee "$work/doctor.txt"
grep -q 'Everything that the pipeline needs is here' "$work/doctor.txt" || fail "doctor"

say "a stage, in the container and here: equal bytes"
podman run "${hard[@]}" -v "$data:/data" "$image" tokenize --in.demonstrations /data/quickstart/demos.jsonl \
  --in.model /data/stories260k --out.train /data/there/train.arrow --out.validation /data/there/validation.arrow \
  --out.prompts /data/there/prompts.arrow --out.eval_prompts /data/there/eval_prompts.arrow --out.report /data/there/report
deno task --quiet stage tokenize --in.demonstrations "$data/quickstart/demos.jsonl" \
  --in.model "$data/stories260k" --out.train "$data/here/train.arrow" --out.validation "$data/here/validation.arrow" \
  --out.prompts "$data/here/prompts.arrow" --out.eval_prompts "$data/here/eval_prompts.arrow" --out.report "$data/here/report"
for file in train prompts; do cmp "$data/here/$file.arrow" "$data/there/$file.arrow" || fail "bytes of $file"; done

say "exit codes: 64 for a stage that is not there, 65 for a file that is not what it must be"
code=0; podman run "${hard[@]}" "$image" tokenise >/dev/null 2>"$work/stderr" || code=$?
((code == 64)) || fail "exit code $code instead of 64: $(cat "$work/stderr")"
echo '{' >"$data/broken.jsonl"
code=0; podman run "${hard[@]}" -v "$data:/data" "$image" tokenize --in.demonstrations /data/broken.jsonl \
  --in.model /data/stories260k --out.train /data/x/t --out.validation /data/x/v --out.prompts /data/x/p \
  --out.eval_prompts /data/x/e --out.report /data/x/r 2>"$work/stderr" || code=$?
((code == 65)) || fail "exit code $code instead of 65: $(cat "$work/stderr")"

say "the pipeline"
podman run "${hard[@]}" --tmpfs /tmp -v "$data:/data" --entrypoint deno "$image" task --quiet pipeline pipelines/quickstart.yaml \
  --run-dir /data/run --set ppo.count=1 --set members.count=1
[[ -s "$data/run/outputs/policy/model.safetensors" ]] || fail "the pipeline left no policy"

say "the server: answers with its token, runs a stage, ends gently on SIGTERM"
server=$(podman run -d --network host --read-only --cap-drop all --security-opt no-new-privileges -e SRPPO_TOKEN=secret \
  -v "$data:/data" --entrypoint deno "$image" task --quiet serve --port 18080 --data /data)
for _ in $(seq 100); do curl -fs http://127.0.0.1:18080/healthz >/dev/null && break; sleep 0.1; done
curl -fs http://127.0.0.1:18080/healthz
[[ $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:18080/stages) == 401 ]] || fail "stages without a token"
curl -fsN -H 'Authorization: Bearer secret' http://127.0.0.1:18080/stages/tokenize -d '{
  "inputs": { "demonstrations": "quickstart/demos.jsonl", "model": "stories260k" },
  "outputs": { "train": "served/train.arrow", "validation": "served/validation.arrow", "prompts": "served/prompts.arrow",
    "eval_prompts": "served/eval_prompts.arrow", "report": "served/report" } }' | tail -n 3
cmp "$data/here/train.arrow" "$data/served/train.arrow" || fail "bytes of the served stage"
podman stop -t 20 "$server" >/dev/null
[[ $(podman inspect -f '{{.State.ExitCode}}' "$server") == 0 ]] || fail "the server did not end with 0"

say "all passed"
