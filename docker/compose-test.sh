#!/usr/bin/env bash
# Brings docker-compose.yml up for real and has a submission built by it: `make compose-test`, as root on Debian.
# No registry is reached: the images that it would pull are made here from Debian's packages, under names of their own.
# TREE names a folder for Debian's base system, which is filled unless it is; it takes minutes and 700 MB.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "compose-test: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "needs root, for dockerd and debootstrap"
for program in dockerd docker-compose debootstrap; do
    command -v $program >/dev/null || fail "no $program: apt-get install docker.io docker-compose debootstrap"
done

work=$(mktemp -d -t trtfarm-compose.XXXXXX)
tree=${TREE:-$work/tree}
export DOCKER_HOST=unix://$work/docker.sock DOCKER_BUILDKIT=0 COMPOSE_PROJECT_NAME=trtfarm-test
export PYTHON_IMAGE=trtfarm-test/debian POSTGRES_IMAGE=trtfarm-test/postgres VALKEY_IMAGE=trtfarm-test/valkey
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
    rm -rf "$work"
    exit $code
}
iptables-save > "$work/iptables"
trap clean EXIT

echo "== dockerd"
mkdir "$work/data" "$work/run"
dockerd --data-root "$work/data" --exec-root "$work/run" --pidfile "$work/pid" --host "$DOCKER_HOST" --bridge none \
    > "$work/log" 2>&1 &
for _ in $(seq 100); do docker version >/dev/null 2>&1 && break; sleep 0.2; done
docker version >/dev/null || fail "dockerd did not start: $(tail -3 "$work/log")"

echo "== images"
[ -x "$tree/usr/bin/python3" ] || debootstrap --variant=minbase \
    --include=python3,python3-venv,ca-certificates,postgresql,redis-server bookworm "$tree" > "$work/log.debootstrap"
# The certificates of this host, as its own tools use them, proxies included.
cp /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"
tar -C "$tree" -c . | docker import --change "ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt UV_SYSTEM_CERTS=1" \
    - $PYTHON_IMAGE > /dev/null
docker build --quiet --tag $POSTGRES_IMAGE docker/stand-ins/postgres
docker build --quiet --tag $VALKEY_IMAGE docker/stand-ins/valkey
for target in api worker; do
    docker build --quiet --network host --build-arg PYTHON_IMAGE --target $target --tag trtfarm-test/$target \
        --file docker/Dockerfile .
done
docker images --format '{{.Repository}} {{.Size}}' | grep trtfarm-test/

echo "== farm"
(umask 077; for name in POSTGRES VALKEY; do echo "${name}_PASSWORD=$(openssl rand -hex 24)"; done > "$work/env")
export TRTFARM_API_ADDRESS=127.0.0.1:18470
compose config --quiet
compose up --detach postgres valkey
token=$(compose run --rm -T api trtfarm tokens create compose-test)
docker run --rm --network host --volume ${COMPOSE_PROJECT_NAME}_home:/var/lib/trtfarm $TRTFARM_WORKER_IMAGE \
    trtfarm toolchain install tensorrt-rtx
compose up --detach
for _ in $(seq 90); do
    [ "$(docker ps --quiet --filter health=starting)" ] || break
    sleep 1
done
compose ps
[ "$(docker ps --quiet --filter health=healthy | wc -l)" = 4 ] || fail "not all are healthy"
for profile in gpu s3; do compose --profile $profile config --quiet; done

echo "== a submission from this host, twice"
export TRTFARM_HOME=$work/client TRTFARM_URL=http://$TRTFARM_API_ADDRESS TRTFARM_TOKEN=$token
submit() { .venv/bin/trtfarm submit calib_data/mnist/lenet.onnx --json "$@" > "$work/summary"; }
submit --target sm_86
submit --target sm_86
.venv/bin/python - "$work/summary" <<'PYTHON'
import json, sys
summary = json.load(open(sys.argv[1]))
assert (summary["state"], summary["hit"]) == ("done", True), summary
print(f"compose-test: {summary['submission']} is a hit, {len(summary['engines'])} engine")
PYTHON
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
unset TRTFARM_URL TRTFARM_TOKEN
docker inspect --format 'the worker was started again {{.RestartCount}} times' "$(compose ps -q worker)"
docker system df
