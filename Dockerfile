# The gateway and, for the compose example, the demo service. One image, no compiler and no pip cache in it.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY gateway gateway
COPY upstream_demo upstream_demo
RUN python -m venv /opt/gateway \
 && /opt/gateway/bin/pip install --no-cache-dir --quiet --disable-pip-version-check -c constraints.txt '.[otel,redis]'

FROM python:3.11-slim
# A fixed id, so that a mounted directory can be given to it (chown 10001).
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin gateway \
 && install -d -o gateway -g gateway -m 0700 /app/var
COPY --from=build /opt/gateway /opt/gateway
WORKDIR /app
COPY config config
# Inside a container the loopback address cannot be reached from outside; publish the port with care.
ENV PATH=/opt/gateway/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    GATEWAY_LISTEN=0.0.0.0:8080
USER gateway
# The store is kept here (`store: sqlite:///var/gateway.db`): without a volume every new container forgets
# users, sessions and revocations, and signs with a new key. `store: postgresql://...` keeps them elsewhere.
VOLUME /app/var
EXPOSE 8080
# The image has no curl. Adapt the port here if `listen` in the configuration has another one.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/.well-known/jwks.json', timeout=2)"]
ENTRYPOINT ["gateway"]
CMD ["run"]
