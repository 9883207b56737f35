# Label Studio from its package, laid out as in its maker's image.
ARG PYTHON_IMAGE=docker.io/library/python:3.11-slim
FROM ${PYTHON_IMAGE}
COPY embedded/label-studio.txt /label-studio.txt
RUN python3 -m venv /venv && /venv/bin/python -m pip install --no-cache-dir --no-deps -r /label-studio.txt \
 && useradd --uid 1001 --gid 0 --no-create-home --home-dir /label-studio label-studio \
 && mkdir -p /label-studio/data && chown -R 1001:0 /label-studio
ENV PATH=/venv/bin:$PATH HOME=/label-studio LABEL_STUDIO_BASE_DATA_DIR=/label-studio/data \
    DJANGO_SETTINGS_MODULE=core.settings.label_studio
WORKDIR /label-studio
USER 1001
EXPOSE 8080
CMD ["label-studio", "start", "--no-browser", "--internal-host", "0.0.0.0", "--port", "8080"]
