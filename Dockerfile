# deepxrd serve in a container: PyTorch for the CPU, not root, nothing fetched once it runs.
#
#   docker build -t deepxrd .
#   docker run --rm -p 127.0.0.1:8000:8000 -v deepxrd-state:/state -e DEEPXRD_TOKEN=a-long-word-of-your-own deepxrd
#
# Then open http://127.0.0.1:8000/?token=a-long-word-of-your-own

FROM python:3.11-slim AS build
WORKDIR /source
RUN python -m venv /opt/deepxrd
ENV PATH=/opt/deepxrd/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY constraints.txt .
# The build of PyTorch for the CPU comes from its own index: the usual one brings gigabytes of CUDA.
RUN torch="$(grep '^torch==' constraints.txt)" \
 && pip install --index-url https://download.pytorch.org/whl/cpu "${torch%%+*}"
COPY pyproject.toml README.md LICENSE CITATION.cff ./
COPY conf conf
COPY src src
RUN pip install -c constraints.txt '.[serve]'

FROM python:3.11-slim
# LightGBM needs OpenMP's library.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --uid 10001 deepxrd && mkdir /state && chown deepxrd /state
COPY --from=build /opt/deepxrd /opt/deepxrd
ENV PATH=/opt/deepxrd/bin:$PATH OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1
USER deepxrd
VOLUME /state
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:8000/api/about', headers={'Authorization': 'Bearer ' + os.environ.get('DEEPXRD_TOKEN', '')}), timeout=5)"]
# Other machines are let in by the container's port alone, and with a token alone.
ENTRYPOINT ["deepxrd", "serve", "--host", "0.0.0.0", "--state", "/state", "--no-browser"]
