# One image of all stages (CPU): `docker run IMAGE score --in.rollouts /data/rollouts.arrow …` runs the same program as
# `deno task stage score …`. All packages are included. It runs with a read-only root, without network, as any user.
#
#   docker build -t srppo .
#   docker run --rm --read-only --network none --user "$(id -u):$(id -g)" -v "$PWD/data:/data" srppo tokenize …
#   docker run --rm --entrypoint deno -v "$PWD/data:/data" srppo task pipeline --run-dir /data/quickstart
#   docker run --rm --entrypoint deno -e SRPPO_TOKEN -p 8000:8000 -v "$PWD/data:/data" srppo task serve --host 0.0.0.0 --data /data
#
# Where these registries cannot be reached, replace both images: BASE requires glibc, DENO the binary as /deno.
ARG BASE=docker.io/library/debian:bookworm-slim
ARG DENO=docker.io/denoland/deno:bin-2.9.6

FROM ${DENO} AS deno

FROM ${BASE} AS build
COPY --from=deno /deno /usr/local/bin/deno
WORKDIR /app
ENV DENO_DIR=/app/.deno DENO_NO_UPDATE_CHECK=1
COPY . .
# Uses node_modules and .deno of the build context and downloads only what is missing. Libraries of other systems and the
# package cache are deleted: everything that runs is in node_modules. Compiled modules stay in .deno.
RUN deno install --frozen \
  && case "$(uname -m)" in x86_64) arch=x64 ;; *) arch=arm64 ;; esac \
  && for folder in node_modules/onnxruntime-node/bin/napi-v6/*/*/; do \
       case "$folder" in */linux/$arch/) ;; *) rm -r "$folder" ;; esac; \
     done \
  && find node_modules/tokenizers/ -name '*.node' ! -name "*.linux-$arch-gnu.node" -delete \
  && deno cache --frozen stages/*/main.ts lib/app/*.ts tests/*/*_command.ts \
  && find .deno/npm -type f ! -name registry.json -delete

FROM ${BASE}
COPY --from=deno /deno /usr/local/bin/deno
COPY --from=build /app /app
WORKDIR /app
ENV DENO_DIR=/app/.deno DENO_NO_UPDATE_CHECK=1 HOME=/tmp NO_COLOR=1
RUN mkdir -p /data && chown 10001:10001 /data
VOLUME /data
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["deno", "task", "--quiet", "stage"]
