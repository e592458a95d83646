# The outer layer of "--jail docker": the guest's libraries and the keeper that feeds it.  Nothing secret goes in, and the
# container is started without network, rights or a writable file system (sldagent/sandbox/docker.py).
#
#   docker build -t sldagent-jail:0.1.0 -f docker/jail.Dockerfile .
#   docker build -t sldagent-jail:0.1.0 --build-arg EXTRA="scikit-learn jax" -f docker/jail.Dockerfile .
FROM python:3.12-slim-bookworm

ARG EXTRA=""
RUN pip install --no-cache-dir --no-compile "numpy>=2.0" "scipy>=1.14" ${EXTRA}

COPY sldagent/__init__.py sldagent/errors.py sldagent/resources.py /opt/sldagent/sldagent/
COPY sldagent/sandbox /opt/sldagent/sldagent/sandbox
COPY sandbox /opt/sldagent/sandbox

# Standard output is the stream of answers: the keeper alone may write to it.
ENV PYTHONPATH=/opt/sldagent PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 65534:65534
WORKDIR /opt/sldagent
ENTRYPOINT ["python", "-P", "-m", "sldagent.sandbox.broker"]
