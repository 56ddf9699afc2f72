# replay in a small image: the wheel and what it needs, run by nobody in particular. Build it with
#   docker build --tag replay-cli .
# and see examples/cronjob.yaml for how it is run every night.

FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE MANIFEST.in ./
COPY replay_cli ./replay_cli
RUN python -m venv /opt/replay \
 && /opt/replay/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt . \
 && /opt/replay/bin/pip uninstall --yes --disable-pip-version-check pip \
 && /opt/replay/bin/replay --version

FROM python:3.13-slim
COPY --from=build /opt/replay /opt/replay
RUN useradd --system --uid 10001 --no-create-home --home-dir /work --shell /usr/sbin/nologin replay \
 && install --directory --owner 10001 --group 10001 --mode 0700 /work
ENV PATH=/opt/replay/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /work
STOPSIGNAL SIGTERM
ENTRYPOINT ["replay"]
CMD ["--help"]
