# syntax=docker/dockerfile:1
# Targets: "app", also the default, is the service alone; "dev" adds live reload; "test" what make test needs.
# "app" stands before the others: a builder without BuildKit makes every stage above the one that was asked for.

FROM python:3.11.14-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/venv/bin:$PATH
WORKDIR /app
# User id 1000 is what most people have on Linux: mounted folders stay theirs.
RUN useradd --create-home --uid 1000 scheduler \
    && mkdir data logs \
    && chown scheduler:scheduler /app data logs
# In a container 127.0.0.1 is reached by nobody else. Set API_AUTH when the port is published.
ENV SERVER__HOST=0.0.0.0
EXPOSE 3000 3001
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["python", "-m", "scheduler.healthcheck"]

FROM base AS packages
RUN python -m venv /opt/venv
COPY requirements.txt requirements-otel.txt ./
# With OpenTelemetry: --build-arg REQUIREMENTS="-r requirements.txt -r requirements-otel.txt"
ARG REQUIREMENTS="-r requirements.txt"
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check $REQUIREMENTS \
    && touch /opt/venv/run.stamp

FROM base AS app
COPY --from=packages /opt/venv /opt/venv
COPY --chown=scheduler:scheduler app.py ./
COPY --chown=scheduler:scheduler config config
COPY --chown=scheduler:scheduler scheduler scheduler
USER scheduler
VOLUME ["/app/data", "/app/logs"]
CMD ["python", "app.py"]

FROM packages AS tools
COPY requirements-dev.txt ./
# Whoever runs make here may renew the stamps: a checkout can be younger than the image and name the same packages.
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements-dev.txt \
    && touch /opt/venv/test.stamp \
    && chmod a+w /opt/venv/run.stamp /opt/venv/test.stamp
COPY docker/entrypoint /usr/local/bin/

FROM tools AS dev
COPY --chown=scheduler:scheduler . ./
ENTRYPOINT ["entrypoint", "/app/logs"]
CMD ["python", "-m", "watchfiles", "--sigint-timeout", "30", "python app.py", "app.py", "scheduler", "config"]

FROM tools AS test
COPY system-packages.txt ./
RUN apt-get update \
    && apt-get install -y --no-install-recommends $(grep -v '^#' system-packages.txt | cut -d ' ' -f 1) \
    && rm -rf /var/lib/apt/lists/*
COPY --chown=scheduler:scheduler . ./
HEALTHCHECK NONE
ENTRYPOINT ["entrypoint", "/app"]
CMD ["make", "test", "VENV=/opt/venv"]

FROM app
