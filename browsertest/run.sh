#!/usr/bin/env bash
# Opens the pages of --format html in Chromium and uses them; see page_test.go.
# Needs Go, node and npm; on a Debian where it is root it installs what else is
# missing. Takes one to two minutes. SHOTS=DIR keeps pictures of the pages.
set -euo pipefail
cd "$(dirname "$0")"

need() { # COMMAND PACKAGE
  if command -v "$1" >/dev/null; then return; fi
  if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "browsertest: no $1 here; install the package $2" >&2
    exit 1
  fi
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$2"
}
if [ -z "${CHROMIUM:-}" ]; then need chromium chromium; fi
need npm npm

# What is committed is what build.sh makes of the sources.
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
tar -c --exclude=node_modules -C ../report html | tar -x -C "$scratch"
"$scratch/html/build.sh" >/dev/null
for f in dist LICENSES.txt; do
  diff -rq "../report/html/$f" "$scratch/html/$f" ||
    { echo "report/html/$f is stale: run report/html/build.sh" >&2; exit 1; }
done

npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
go mod tidy -diff || { echo 'run `go mod tidy` in browsertest/: the main module has changed' >&2; exit 1; }
go vet ./...
go vet -tags traceviewer ./...
go test -count=1 -timeout=5m "$@" ./...
