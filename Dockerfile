# Two images: `backend` answers Label Studio; `trainer` is the worker that also trains.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim

FROM ${PYTHON_IMAGE} AS backend
ENV PYTHONUNBUFFERED=1 PATH=/app/.venv/bin:$PATH RUNS_DIR=/runs SPOOL_DIR=/spool
WORKDIR /app
COPY requirements.txt ./
RUN python3 -m venv .venv && .venv/bin/python -m pip install --no-cache-dir --no-deps -r requirements.txt
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY annotune annotune
COPY backend backend
COPY trainer trainer
COPY curation curation
COPY commands commands
COPY prompts prompts
RUN .venv/bin/python -m pip install --no-cache-dir --no-deps --no-build-isolation -e . \
 && useradd --create-home --uid 1000 annotune && mkdir /runs /spool && chown annotune /runs /spool && chmod 700 /runs /spool
USER annotune
EXPOSE 9090
HEALTHCHECK --interval=30s --timeout=3s CMD ["python3", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9090/health', timeout=2)"]
CMD ["annotune", "serve", "--host", "0.0.0.0", "--port", "9090"]

# What trains, alone, so that it is installed anew only where its locks change. The wheels of the GPU lock bring CUDA's libraries;
# the driver comes from the host. TRAINER_DEVICE=CPU takes the CPU lock.
FROM ${PYTHON_IMAGE} AS trainer-environment
ARG TRAINER_DEVICE=GPU
ARG TORCH_INDEX=
WORKDIR /app
COPY trainer/install.sh trainer/requirements*.txt trainer/
RUN PYTHON=python3 PIP_NO_CACHE_DIR=1 TORCH_INDEX="$TORCH_INDEX" sh trainer/install.sh "$TRAINER_DEVICE" .venv-trainer

FROM backend AS trainer
ARG TRAINER_DEVICE=GPU
# What is compiled in a training is kept beside the bases: the rest of the file system is read-only, or runs nothing.
ENV TRAINER_PYTHON=/app/.venv-trainer/bin/python HF_HOME=/base-models \
    TRITON_CACHE_DIR=/base-models/.triton TORCHINDUCTOR_CACHE_DIR=/base-models/.inductor
USER root
# Triton compiles its launchers when a training starts.
RUN [ "$TRAINER_DEVICE" = CPU ] || (apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*)
COPY --from=trainer-environment /app/.venv-trainer .venv-trainer
RUN mkdir /base-models && chown annotune /base-models
USER annotune
HEALTHCHECK NONE
CMD ["annotune", "worker"]
