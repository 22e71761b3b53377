#!/usr/bin/env bash
# Brings docker-compose.yml up for real and has a submission built by it: `make compose-test`, as root on Debian.
# No registry is reached: the images that it would pull are made here from Debian's packages, under names of their own.
# TREE names a folder for Debian's base system, which is filled unless it is; it takes minutes and 700 MB.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "compose-test: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "needs root, for dockerd and debootstrap"
[ -x .venv/bin/trtfarm ] || fail "no .venv/bin/trtfarm, which submits: make setup"
for program in dockerd docker-compose debootstrap; do
    command -v $program >/dev/null || fail "no $program: apt-get install docker.io docker-compose debootstrap"
done

work=$(mktemp -d -t trtfarm-compose.XXXXXX)
tree=${TREE:-$work/tree}
export DOCKER_HOST=unix://$work/docker.sock DOCKER_BUILDKIT=0 COMPOSE_PROJECT_NAME=trtfarm-test
export PYTHON_IMAGE=trtfarm-test/debian POSTGRES_IMAGE=trtfarm-test/postgres VALKEY_IMAGE=trtfarm-test/valkey
export S3_IMAGE=trtfarm-test/s3
export TRTFARM_API_IMAGE=trtfarm-test/api TRTFARM_WORKER_IMAGE=trtfarm-test/worker
docker() { /usr/bin/docker "$@"; }
compose() { docker-compose --env-file "$work/env" "$@"; }

clean() {
    code=$?
    trap - EXIT
    if [ -S "$work/docker.sock" ]; then
        [ $code = 0 ] || compose logs --tail 30 || true
        compose --profile gpu --profile s3 down --volumes --timeout 5 || true
        kill "$(cat "$work/pid")"
        while kill -0 "$(cat "$work/pid" 2>/dev/null)" 2>/dev/null; do sleep 0.2; done
    fi
    umount "$work/run/netns/default" 2>/dev/null || true  # dockerd leaves it
    # Its rules, too, unless another dockerd had some before.
    grep -q DOCKER "$work/iptables" || iptables-save | grep -v DOCKER | iptables-restore
    sysctl --quiet --write net.ipv4.ip_forward="$forward"
    rm -rf "$work"
    exit $code
}
iptables-save > "$work/iptables"
forward=$(sysctl --values net.ipv4.ip_forward)
trap clean EXIT

echo "== dockerd"
mkdir "$work/data" "$work/run"
dockerd --data-root "$work/data" --exec-root "$work/run" --pidfile "$work/pid" --host "$DOCKER_HOST" --bridge none \
    > "$work/log" 2>&1 &
for _ in $(seq 100); do docker version >/dev/null 2>&1 && break; sleep 0.2; done
docker version >/dev/null || fail "dockerd did not start: $(tail -3 "$work/log")"

echo "== images"
[ -x "$tree/usr/bin/python3" ] || debootstrap --variant=minbase \
    --include=python3,python3-venv,ca-certificates,netcat-openbsd,postgresql,redis-server bookworm "$tree" > "$work/log.debootstrap"
# The certificates of this host, as its own tools use them, proxies included.
cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"
tar -C "$tree" -c . | docker import --change "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt UV_SYSTEM_CERTS=1" \
    - $PYTHON_IMAGE > /dev/null
docker build --quiet --tag $POSTGRES_IMAGE docker/stand-ins/postgres
docker build --quiet --tag $VALKEY_IMAGE docker/stand-ins/valkey
cp -r docker/stand-ins/s3 "$work/s3"
sed -n 's/^\([a-z0-9._-]*==[^ ]*\).*/\1/p' requirements.lock > "$work/s3/constraints"
docker build --quiet --network host --tag $S3_IMAGE "$work/s3"
for target in api worker; do
    docker build --quiet --network host --build-arg PYTHON_IMAGE --target $target --tag trtfarm-test/$target \
        --file docker/Dockerfile .
done
docker images --format '{{.Repository}} {{.Size}}' | grep trtfarm-test/

# Waits until so many services are healthy.
all_healthy() {
    for _ in $(seq 90); do
        [ "$(docker ps --quiet --filter health=starting)" ] || break
        sleep 1
    done
    compose ps
    [ "$(docker ps --quiet --filter health=healthy | wc -l)" = "$1" ] || fail "not all are healthy"
}

echo "== farm"
(umask 077; for name in POSTGRES VALKEY; do echo "${name}_PASSWORD=$(openssl rand -hex 24)"; done > "$work/env")
export TRTFARM_API_ADDRESS=127.0.0.1:18470
compose config --quiet
compose up --detach postgres valkey
token=$(compose run --rm -T api trtfarm tokens create compose-test)
docker run --rm --network host --volume ${COMPOSE_PROJECT_NAME}_home:/var/lib/trtfarm $TRTFARM_WORKER_IMAGE \
    trtfarm toolchain install tensorrt-rtx
compose up --detach
all_healthy 4

echo "== a submission from this host, twice"
export TRTFARM_HOME=$work/client TRTFARM_URL=http://$TRTFARM_API_ADDRESS TRTFARM_TOKEN=$token
submit() { .venv/bin/trtfarm submit calib_data/mnist/lenet.onnx --json "$@" > "$work/summary"; }
summary() { .venv/bin/python -c "import json; print(json.load(open('$work/summary'))$1)"; }
submit --target sm_86
submit --target sm_86
[ "$(summary '["state"]') $(summary '["hit"]')" = "done True" ] || fail "no hit: $(cat "$work/summary")"
.venv/bin/trtfarm engines list

echo "== a worker is killed with work to do, and comes back by itself"
submit --target sm_89 --detach
kill -9 "$(docker inspect --format '{{.State.Pid}}' "$(compose ps -q worker)")"
for _ in $(seq 60); do
    .venv/bin/trtfarm workers list | grep -q ready && break
    sleep 1
done
submit --target sm_89
.venv/bin/trtfarm engines list
docker inspect --format 'the worker was started again {{.RestartCount}} times' "$(compose ps -q worker)"

echo "== a worker for GPUs, on a host without the NVIDIA Container Toolkit"
compose --profile gpu config --quiet
told=$(compose --profile gpu up --detach gpu-worker 2>&1) && fail "it started"
echo "$told" | grep 'could not select device driver "nvidia"' || fail "it told something else: $told"
compose --profile gpu rm --force --stop gpu-worker

echo "== the same farm with its blobs in S3: what it had made is not there, and is made anew"
files() { compose exec -T api find /var/lib/trtfarm-blobs -type f | wc -l; }
before=$(files)
cat >> "$work/env" <<ENV
TRTFARM_BLOB_URL=s3://trtfarm
AWS_ENDPOINT_URL=http://s3:7070
AWS_ALLOW_HTTP=true
AWS_REGION=us-east-1
AWS_ACCESS_KEY_ID=trtfarm
AWS_SECRET_ACCESS_KEY=$(openssl rand -hex 24)
ENV
compose --profile s3 up --detach
all_healthy 5
submit --target sm_86 --target sm_89
[ "$(summary '["hit"]')" = False ] || fail "a hit, though nothing is in S3"
submit --target sm_86 --target sm_89
[ "$(summary '["hit"]')" = True ] || fail "no hit, though all is in S3"
compose exec -T api trtfarm keys export > "$work/farm.pem"
.venv/bin/trtfarm keys trust "$work/farm.pem"
.venv/bin/trtfarm engines pull "$(summary '["engines"][0]["id"]')" -o "$work/engine.plan"
.venv/bin/trtfarm engines check "$work/engine.plan"
unset TRTFARM_URL TRTFARM_TOKEN
compose exec -T api trtfarm fsck
[ "$(files)" = "$before" ] || fail "something was written to the volume"
docker system df
echo "compose-test: all of it went well, in $SECONDS s"
