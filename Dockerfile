# framewatch with everything it needs, for GPU and CPU hosts:
#   docker build -t framewatch .                            torch with CUDA, several gigabytes
#   docker build -t framewatch --build-arg TORCH=cpu .      torch for CPUs, about a quarter of that
# TORCH is the name of a build of torch as its own index has it (cpu, cu126, ...); empty takes the package index's.
# docs/image.md says how to run it.

FROM python:3.11-slim-bookworm AS dependencies
ARG TORCH=""
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_QUIET=1
WORKDIR /build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends binutils >/dev/null \
    && python -m venv --without-pip /opt/framewatch
COPY constraints.txt ./
# A named build comes alone from its index; what it needs comes from where everything else comes from.
RUN version=$(sed -n 's/^torch==//p' constraints.txt) \
    && if [ -n "$TORCH" ]; then \
        pip --python /opt/framewatch install --no-compile --no-deps "torch==$version+$TORCH" \
            --extra-index-url "https://download.pytorch.org/whl/$TORCH"; \
    fi \
    && pip --python /opt/framewatch install --no-compile -c constraints.txt torch \
    && cd /opt/framewatch/lib/python3.11/site-packages/torch \
    && rm -rf test include bin/*Test bin/protoc* bin/test_* bin/*.ptl \
    && strip --strip-unneeded lib/libtorch*.so
COPY pyproject.toml ./
RUN python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' \
        > requirements.txt \
    && pip --python /opt/framewatch install --no-compile -c constraints.txt -r requirements.txt \
    && find /opt/framewatch -type d \( -name tests -o -path '*/onnx/backend/test' \) -prune -exec rm -rf {} +

FROM dependencies AS wheel
RUN pip install -c constraints.txt hatchling
COPY README.md LICENSE ./
COPY model model
COPY training training
COPY service service
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /wheels .

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="framewatch" \
      org.opencontainers.image.description="Streaming video anomaly monitor" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=dependencies /opt/framewatch /opt/framewatch
# Modules are compiled by being imported: what nothing imports would be half of the byte code.
RUN --mount=type=bind,from=wheel,source=/wheels,target=/wheels \
    pip --python /opt/framewatch install -q --no-compile --no-cache-dir --no-index --no-deps --root-user-action=ignore /wheels/*.whl \
    && /opt/framewatch/bin/python -c 'import service.commands.serve, service.commands.score, service.commands.train, \
service.learning.child, service.readers.child, service.videos.sandbox_child, training.demo' \
    && useradd --uid 10001 --user-group --home-dir /data --no-create-home --shell /usr/sbin/nologin framewatch \
    && install -d -o framewatch -g framewatch -m 0700 /data /data/tmp
# Whatever is written goes to /data, so that the root file system can be read-only: temporary files, where a volume
# brings no tmp folder, too, as the working directory is Python's last choice for them.
ENV PATH=/opt/framewatch/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    MPLCONFIGDIR=/data/tmp \
    TMPDIR=/data/tmp \
    FRAMEWATCH_HOST=0.0.0.0 \
    FRAMEWATCH_DATA_DIR=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ.get('FRAMEWATCH_PORT', '8000')}/readyz\", timeout=4)"]
CMD ["framewatch", "serve"]
