# The set-up of ./dev on debian:12, and the installed program.
FROM debian:12 AS build
ENV PIP_NO_CACHE_DIR=1
WORKDIR /src
# Packages and libtorch first: they stay cached while the source changes.
COPY dev ./
COPY scripts/setup.sh scripts/
RUN ./dev setup
COPY . .
RUN ./dev build && cmake --install build --prefix /usr/local

FROM debian:12-slim
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends ca-certificates \
       libcld2-0 libcpp-httplib0.11 libcurl4 libfmt9 libicu72 libpcre2-8-0 libsentencepiece0 libspdlog1.10 libsqlite3-0 libssl3 libstdc++6 libyaml-cpp0.7 zlib1g \
    && rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/tapir /usr/local/bin/tapir
COPY --from=build /usr/local/lib/tapir /usr/local/lib/tapir
COPY --from=build /usr/local/share/tapir /usr/local/share/tapir
ENTRYPOINT ["tapir"]
CMD ["--help"]
