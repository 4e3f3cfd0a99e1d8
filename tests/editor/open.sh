#!/usr/bin/env bash
# open.sh VSIX [FOLDER]: a real VS Code in the browser with the extension in it, until Ctrl-C. PORT chooses the port.
# Without a folder it opens a fresh copy of a small project with one failing test.
set -euo pipefail
cd "$(dirname "$0")/../.."
VSIX=$(realpath "$1") PORT=${PORT:-8921}
TOOLS=$(bash tests/editor/install.sh)
STATE=$(mktemp -d)
EDITOR_PID=
trap '[ -z "$EDITOR_PID" ] || kill "$EDITOR_PID" 2> /dev/null || true; rm -rf "$STATE"' EXIT
trap 'exit 130' INT TERM

FOLDER=${2:-$STATE/project}
[ -n "${2:-}" ] || bash tests/editor/make_project.sh "$FOLDER"
FOLDER=$(realpath "$FOLDER")

bash tests/editor/serve.sh "$TOOLS" "$VSIX" "$STATE" "$PORT" > "$STATE/server.log" 2>&1 &
EDITOR_PID=$!
until (exec 3<> "/dev/tcp/127.0.0.1/$PORT") 2> /dev/null; do
  kill -0 "$EDITOR_PID" 2> /dev/null || { cat "$STATE/server.log" >&2; exit 1; }
  sleep 0.2
done
echo "octolimb: open http://127.0.0.1:$PORT/?folder=$FOLDER in a browser; Ctrl-C ends it"
wait "$EDITOR_PID"
