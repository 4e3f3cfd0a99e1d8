#!/usr/bin/env bash
# Puts a real VS Code for the browser (code-server), the Node that it needs and a browser driver under
# ~/.cache/octolimb, outside the tree; prints that directory. About a minute and 820 MB the first time, at once after.
# The browser itself is the system's chromium: see the message at the end of this file.
set -euo pipefail

CODE_SERVER=4.139.1 NODE=24.21.0 PLAYWRIGHT=1.65.1
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/octolimb"
TOOLS="$CACHE/editor-$CODE_SERVER-$NODE-$PLAYWRIGHT"

install_tools() {
  local work=$1
  cd "$work"
  # Node comes as an npm package, whose install script picks the platform's build.
  echo '{"name":"octolimb-editor","private":true,"allowScripts":{"node":true}}' > package.json
  npm install --no-save --no-fund --no-audit --loglevel=error "node@$NODE" "playwright-core@$PLAYWRIGHT"
  local node
  node=$(find "$work/node_modules" -path '*bin/node' -type f -perm -u+x | head -1)
  mkdir -p bin code-server
  ln -s "$(realpath --relative-to=bin "$node")" bin/node
  export PATH="$work/bin:$PATH"
  # Its own install script builds modules that nothing here needs; what it needs beside them is installed below.
  # `npm install`, not `npm ci`: the lock files that it ships are out of step with their manifests.
  cd code-server
  echo '{"name":"octolimb-editor-server","private":true}' > package.json
  npm install --ignore-scripts --no-fund --no-audit --loglevel=error "code-server@$CODE_SERVER"
  cd node_modules/code-server/lib/vscode
  npm install --omit=dev --ignore-scripts --no-fund --no-audit --loglevel=error
  (cd extensions && npm install --omit=dev --ignore-scripts --no-fund --no-audit --loglevel=error)
  npm rebuild --loglevel=error @vscode/spdlog || echo "octolimb: no file logs from the editor; all else works" >&2
}

if ! [ -e "$TOOLS/complete" ]; then
  echo "octolimb: installing the editor for tests, once, under $TOOLS" >&2
  mkdir -p "$CACHE"
  # Built aside and renamed when whole, so that an interrupted run leaves nothing that looks finished.
  WORK=$(mktemp -d "$CACHE/editor-new.XXXXXX")
  trap 'rm -rf "$WORK"' EXIT
  install_tools "$WORK" >&2
  touch "$WORK/complete"
  rm -rf "$TOOLS"
  mv "$WORK" "$TOOLS"
  trap - EXIT
fi
echo "$TOOLS"
