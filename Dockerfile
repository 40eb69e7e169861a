FROM python:3.11-slim-bookworm AS build
RUN python -m venv /opt/hazgate
WORKDIR /src
COPY pyproject.toml README.md ./
COPY alerts ./alerts
COPY adapters ./adapters
COPY gateway ./gateway
COPY simulators ./simulators
RUN /opt/hazgate/bin/pip install --no-cache-dir .

# The same version of the broker as in the tests: Debian's.
FROM debian:bookworm-slim AS broker
RUN apt-get update \
    && apt-get install --yes --no-install-recommends mosquitto \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o mosquitto -g mosquitto -m 0700 /etc/mosquitto/secrets
USER mosquitto
EXPOSE 8883
CMD ["mosquitto", "-c", "/etc/mosquitto/mosquitto.conf"]

FROM python:3.11-slim-bookworm AS gateway
RUN useradd --system --uid 10001 --home-dir /var/lib/hazgate hazgate \
    && install -d -o hazgate -g hazgate -m 0700 /var/lib/hazgate /var/lib/hazgate-key
COPY --from=build /opt/hazgate /opt/hazgate
ENV PATH="/opt/hazgate/bin:$PATH"
USER hazgate
WORKDIR /var/lib/hazgate
VOLUME /var/lib/hazgate /var/lib/hazgate-key
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8080/api/v1/health', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["hazgate"]
CMD ["run", "/etc/hazgate/hazgate.yaml"]
