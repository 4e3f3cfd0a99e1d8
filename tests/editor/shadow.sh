#!/usr/bin/env bash
# The main job in a real VS Code with the real server.
# Exits 75 when there is no browser to drive; screenshots are left in .cache/editor.
set -euo pipefail
cd "$(dirname "$0")/../.."

BROWSER=$(command -v chromium || command -v chromium-browser || true)
[ -n "$BROWSER" ] || exit 75

echo '== editor: the shadow'
make --silent vsix > /dev/null
TOOLS=$(bash tests/editor/install.sh)
export TOOLS BROWSER
exec "$TOOLS/bin/node" tests/editor/shadow.mjs client/out/octolimb.vsix .cache/editor
