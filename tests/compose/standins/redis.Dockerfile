# Redis as the distribution has it.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim
FROM ${PYTHON_IMAGE}
RUN command -v redis-server || (apt-get update && apt-get install -y --no-install-recommends redis-server && rm -rf /var/lib/apt/lists/*)
VOLUME /data
WORKDIR /data
EXPOSE 6379
CMD ["redis-server"]
