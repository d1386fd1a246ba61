# The edge: no RocksDB, no C++. Built from the root of the repository: docker build -f docker/edge.Dockerfile -t brim-edge .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN make build-edge CACHE=/build CARGO_TARGET_DIR=/build/target

FROM debian:bookworm-slim
# The authorities by which origins are trusted.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10002 --user-group --home-dir /var/lib/brim-edge --no-create-home brim-edge \
    && install -d -o brim-edge -g brim-edge -m 0700 /var/lib/brim-edge /var/cache/brim-edge /var/log/brim-edge
COPY --from=build /build/target/release/brim-edge /usr/local/bin/brim-edge
COPY docs/LICENSE /usr/share/doc/brim-edge/LICENSE
COPY docker/healthcheck /usr/local/bin/healthcheck
USER brim-edge
VOLUME /var/cache/brim-edge
EXPOSE 8080 8443 9091
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["healthcheck", "9091", "/healthz"]
# Inside a container the loopback interface reaches nobody. These beat what the file says.
ENV BRIM_EDGE_LISTEN=0.0.0.0:8080 BRIM_EDGE_ADMIN_LISTEN=0.0.0.0:9091
ENTRYPOINT ["brim-edge"]
CMD ["--config", "/etc/brim-edge/edge.toml"]
