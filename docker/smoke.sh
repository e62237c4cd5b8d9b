#!/usr/bin/env bash
# Does the built image do what it is for? docker/smoke.py, run in it as its user, starts the service, sends it a video
# and frames, stops it, and in a second container on the same volume looks for what was kept.
#   docker/smoke.sh                       with docker or podman and the image IMAGE (default framewatch)
#   RUNNER='run-in-image' docker/smoke.sh with anything that runs `run-in-image CMD [ARG ...]` in the image, as its
#                                         user, with the volume that RUN_OPTIONS (--volume=HERE:THERE) names
set -euo pipefail
cd "$(dirname "$0")/.."

data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT
chmod 777 "$data" # the image's user is nobody here
cp docker/smoke.py "$data/smoke.py"
# Not at /data: some engines put the image's own, empty volume over one that is given for the same place.
export RUN_OPTIONS="--volume=$data:/state"

if [ -n "${RUNNER:-}" ]; then
  read -ra run <<<"$RUNNER"
else
  engine=$(command -v docker || command -v podman) || { echo "no docker or podman here: name a RUNNER" >&2; exit 2; }
  run=("$engine" run --rm --read-only --cap-drop=ALL --security-opt=no-new-privileges "$RUN_OPTIONS" "${IMAGE:-framewatch}")
fi

for start in first again; do
  "${run[@]}" env FRAMEWATCH_DATA_DIR=/state python /state/smoke.py "$start"
done
