# The embedded server in Ollama's place: the same API over llama.cpp.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim
FROM ${PYTHON_IMAGE}
RUN ldconfig -p | grep -q libgomp \
 || (apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*)
WORKDIR /app
COPY requirements-dev.txt ./
RUN python3 -m venv .venv && .venv/bin/python -m pip install --no-cache-dir --no-deps -r requirements-dev.txt
COPY annotune annotune
COPY embedded embedded
EXPOSE 11434
CMD [".venv/bin/python", "-m", "embedded.ollama", "--host", "0.0.0.0", "--models", "/root/.ollama/models", "--threads", "1"]
