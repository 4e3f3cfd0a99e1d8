#!/usr/bin/env bash
# Stands in for the server's interpreter: prints a version when asked for it, else serves what a test has scripted.
set -euo pipefail
[ "${2:-}" = -c ] && { echo 0.0.0-scripted; exit; }
exec node "$(dirname "$0")/fake_server.mjs" octolimb serve
