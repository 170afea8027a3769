# By a tag, for a digest ages; pin the one that you have tried:
#   docker buildx imagetools inspect python:3.11-slim-bookworm
#   docker build --build-arg PYTHON=python:3.11-slim-bookworm@sha256:… -t cancelall .
ARG PYTHON=python:3.11-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# What lists the image's contents, in an environment of its own, which stays here.
COPY sbom.lock ./
RUN python -m venv /opt/sbom \
    && /opt/sbom/bin/pip install --require-hashes --only-binary :all: -r sbom.lock
COPY run.lock ./
RUN python -m venv /opt/cancelall \
    && /opt/cancelall/bin/pip install --require-hashes --only-binary :all: -r run.lock
COPY pyproject.toml ./
COPY adapters adapters
COPY bot bot
COPY policies policies
RUN /opt/cancelall/bin/pip install --no-deps --no-build-isolation . \
    && /opt/cancelall/bin/pip uninstall --yes setuptools pip
RUN /opt/sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
    --output-file /opt/cancelall/sbom.json /opt/cancelall

FROM ${PYTHON}
# Nothing that installs or builds. Whoever gets in finds no pip, and the base image has no compiler.
RUN rm -rf /usr/local/lib/python3*/site-packages /usr/local/lib/python3*/ensurepip \
    /usr/local/bin/pip* /usr/local/bin/wheel
# Config, policy, database and state live in this folder: mount a volume. All else may be read-only.
RUN groupadd --gid 1000 cancelall \
    && useradd --uid 1000 --gid 1000 --home-dir /var/lib/cancelall --shell /usr/sbin/nologin \
    cancelall \
    && install --directory --owner 1000 --group 1000 --mode 0700 /var/lib/cancelall
COPY --from=build /opt/cancelall /opt/cancelall
ENV PATH=/opt/cancelall/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="cancelall" \
    org.opencontainers.image.description="A Slack bot that cancels every open order on every venue once a second person agrees, and proves it." \
    org.opencontainers.image.version="${VERSION}" \
    org.opencontainers.image.revision="${REVISION}" \
    org.opencontainers.image.source="${SOURCE}"
WORKDIR /var/lib/cancelall
# A number, so that Kubernetes can tell by itself that it is not root.
USER 1000:1000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["cancelall", "healthz"]
ENTRYPOINT ["cancelall"]
CMD ["serve"]
