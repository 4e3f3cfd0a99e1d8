#!/usr/bin/env bash
# What a person sees, scene by scene, in a real VS Code with a server that says what each scene needs.
# Exits 75 when there is no browser to drive; a screenshot of every scene is left in .cache/editor.
set -euo pipefail
cd "$(dirname "$0")/../.."

BROWSER=$(command -v chromium || command -v chromium-browser || true)
[ -n "$BROWSER" ] || exit 75

echo '== editor: scenes'
make --silent vsix > /dev/null
TOOLS=$(bash tests/editor/install.sh)
export TOOLS BROWSER
exec "$TOOLS/bin/node" tests/editor/scenes.mjs client/out/octolimb.vsix .cache/editor
