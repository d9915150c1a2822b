# syntax=docker/dockerfile:1
# Targets: "app" (the default, because it is last) is the service alone; "dev" adds live reload, the checks and the tests.

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
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:%s/health' % os.environ.get('PORT', 3000), timeout=4)"]

FROM base AS packages
RUN python -m venv /opt/venv
COPY requirements.txt ./
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements.txt

FROM packages AS dev
COPY system-packages.txt ./
RUN apt-get update \
    && apt-get install -y --no-install-recommends $(grep -v '^#' system-packages.txt | cut -d ' ' -f 1) \
    && rm -rf /var/lib/apt/lists/*
COPY requirements-dev.txt ./
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements-dev.txt
COPY --chown=scheduler:scheduler . ./
USER scheduler
CMD ["python", "-m", "watchfiles", "--sigint-timeout", "30", "python app.py", "app.py", "scheduler", "config"]

FROM base AS app
COPY --from=packages /opt/venv /opt/venv
COPY --chown=scheduler:scheduler app.py ./
COPY --chown=scheduler:scheduler config config
COPY --chown=scheduler:scheduler scheduler scheduler
USER scheduler
VOLUME ["/app/data", "/app/logs"]
CMD ["python", "app.py"]
