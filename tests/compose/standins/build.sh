#!/bin/sh
# Makes stand-ins for the images of others, and those of ours, where no registry can be reached, and prints the variables
# that name them: eval "$(tests/compose/standins/build.sh)" && make test-compose
# BUILD is what builds (docker build), PYTHON_IMAGE the base of all. What pip and apt need is theirs to know.
set -eu
cd "$(dirname "$0")/../../.."

build() {  # NAME VARIABLE, and what the builder is to be told
    name=localhost/annotune-standin-$1 variable=$2
    shift 2
    ${BUILD:-docker build} -t "$name" ${PYTHON_IMAGE:+--build-arg PYTHON_IMAGE="$PYTHON_IMAGE"} "$@" . >&2
    echo "export $variable=$name"
}

for name in redis label-studio ollama; do
    build $name "$(echo $name | tr a-z- A-Z_)_IMAGE" -f tests/compose/standins/$name.Dockerfile
done
build backend BACKEND_IMAGE --target backend
build trainer TRAINER_IMAGE --target trainer --build-arg TRAINER_DEVICE=CPU --build-arg TORCH_INDEX="${TORCH_INDEX:-}"
