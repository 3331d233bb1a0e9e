#!/usr/bin/env bash
# Builds dist/ and LICENSES.txt from src/ and the libraries that
# package-lock.json pins. Needs node and npm; the result is committed, so that
# `go install` needs neither.
set -euo pipefail
cd "$(dirname "$0")"

# Without install scripts: none of the libraries needs one.
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error

# Names are kept: d3-flame-graph knows its nodes by the name of their
# constructor. It would also import a style sheet, which src/page.css replaces.
node_modules/.bin/esbuild src/main.js --bundle --minify --keep-names --format=iife --target=es2020 \
  --loader:.css=empty --legal-comments=none --outfile=dist/page.js --metafile=node_modules/.meta.json --log-level=warning
node_modules/.bin/esbuild src/page.css --minify --target=es2020,chrome100,firefox100,safari15 --outfile=dist/page.css --log-level=warning
node licenses.mjs node_modules/.meta.json >LICENSES.txt
wc -c dist/* LICENSES.txt
