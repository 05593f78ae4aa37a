# One image of all stages (CPU): `docker run IMAGE score --in.rollouts /data/rollouts.arrow …` runs the same program as
# `deno task stage score …`. All packages are included. It runs with a read-only root, without network, as any user.
#
#   docker build -t srppo .
#   docker run --rm --read-only --network none --user "$(id -u):$(id -g)" -v "$PWD/data:/data" srppo tokenize …
#   docker run --rm --entrypoint deno -v "$PWD/data:/data" srppo task pipeline --run-dir /data/quickstart
#
# The target `serve` serves the stages over HTTP, with a health check. The token is that of the environment:
#
#   docker build --target serve -t srppo-serve .
#   docker run --rm -e SRPPO_TOKEN -p 8000:8000 -v "$PWD/data:/data" srppo-serve
#
# Where these registries cannot be reached, replace both images: BASE requires glibc, DENO the binary as /deno. Both may be
# pinned to a digest: --build-arg BASE=docker.io/library/debian@sha256:… (see docs/containers.md).
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

FROM ${BASE} AS runtime
COPY --from=deno /deno /usr/local/bin/deno
COPY --from=build /app /app
WORKDIR /app
ENV DENO_DIR=/app/.deno DENO_NO_UPDATE_CHECK=1 HOME=/tmp NO_COLOR=1
RUN mkdir -p /data && chown 10001:10001 /data
VOLUME /data
USER 10001:10001
STOPSIGNAL SIGTERM

FROM runtime AS serve
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 CMD ["deno", "eval", \
  "const { ok } = await fetch(`http://127.0.0.1:${Deno.env.get('PORT') ?? 8000}/healthz`); Deno.exit(ok ? 0 : 1)"]
ENTRYPOINT ["deno", "task", "--quiet", "serve", "--host", "0.0.0.0", "--data", "/data"]

FROM runtime AS stage
ENTRYPOINT ["deno", "task", "--quiet", "stage"]
