# An msglog server: sshd for one account, whose keys may start `msglog receive-pack` and nothing else.
# docs/deploy/container.md says how to build and run it, and docs/adr/0017 why it is as it is.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
ARG SOURCE_DATE_EPOCH=1
ARG PIP_CERT
ENV DEBIAN_FRONTEND=noninteractive
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates python3 python3-pip python3-venv
WORKDIR /source
COPY docs/deploy/container/requirements.txt docs/deploy/container/build-requirements.txt ./
# The environment is made first and without pip: what is in it is what runs, and nothing else.
RUN python3 -m venv --without-pip /opt/msglog \
    && python3 -m pip --python /opt/msglog/bin/python install --no-cache-dir --no-compile \
        --require-hashes --only-binary :all: --requirement requirements.txt \
    && python3 -m venv /build \
    && /build/bin/python -m pip install --no-cache-dir \
        --require-hashes --only-binary :all: --requirement build-requirements.txt
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY msglog msglog
COPY plumbing plumbing
COPY porcelain porcelain
# Compiled once and never looked at again by time: sessions start sooner, and two builds are alike.
RUN /build/bin/python -m pip wheel --no-build-isolation --no-deps --wheel-dir /wheel . \
    && python3 -m pip --python /opt/msglog/bin/python install --no-cache-dir --no-compile --no-deps \
        --no-index /wheel/*.whl \
    && /opt/msglog/bin/python -m compileall -q --invalidation-mode unchecked-hash \
        /opt/msglog/lib/python3*/site-packages

FROM ${BASE}
ARG SOURCE_DATE_EPOCH=1
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="msglog" \
    org.opencontainers.image.description="A server for logs of short immutable messages, over SSH" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}"
# Host keys that the package makes would be the same for everybody who runs the image: they go.
RUN export DEBIAN_FRONTEND=noninteractive \
    && apt-get update \
    && apt-get install --yes --no-install-recommends openssh-server python3 tini \
    && rm -rf /etc/ssh/ssh_host_* /etc/ssh/sshd_config* /etc/motd /etc/update-motd.d \
        /var/lib/apt/lists/* /var/cache/* /var/log/* /usr/share/doc /usr/share/man \
    && find / -xdev -perm /6000 -type f -exec chmod a-s {} + \
    && groupadd --gid 10022 server \
    && useradd --uid 10022 --gid 10022 --no-create-home --home-dir /data --shell /bin/dash \
        --password '*' --comment 'msglog' server \
    && install -d -o server -g server -m 0700 /data \
    && install -d -m 0700 /keys \
    && install -d -m 0755 /run/sshd \
    && rm -f /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /var/log/faillog /var/log/lastlog
COPY --from=build /opt/msglog /opt/msglog
COPY docs/deploy/container/sshd_config /etc/ssh/sshd_config
COPY --chmod=0755 docs/deploy/container/start docs/deploy/container/health /usr/local/lib/msglog/
RUN ln -s /opt/msglog/bin/msglog /usr/local/bin/msglog
ENV MSGLOG_PORT=2222
EXPOSE 2222
VOLUME ["/data", "/keys"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=60s --timeout=10s --start-period=20s --retries=3 \
    CMD ["/usr/local/lib/msglog/health"]
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/lib/msglog/start"]
