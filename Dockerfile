FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/cancelall
COPY run.lock ./
RUN /opt/cancelall/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r run.lock
COPY pyproject.toml ./
COPY adapters adapters
COPY bot bot
COPY policies policies
RUN /opt/cancelall/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/cancelall/bin/pip uninstall --yes setuptools pip

FROM python:3.11-slim
RUN useradd --create-home --home-dir /var/lib/cancelall cancelall
COPY --from=build /opt/cancelall /opt/cancelall
ENV PATH=/opt/cancelall/bin:$PATH PYTHONUNBUFFERED=1
# config.toml, the policy and the database live here: mount a volume.
WORKDIR /var/lib/cancelall
USER cancelall
ENTRYPOINT ["cancelall"]
CMD ["serve"]
