#!/usr/bin/env bash
# serve.sh TOOLS VSIX DIRECTORY PORT: runs a real VS Code for the browser on loopback, in the foreground, with the
# extension in it and all its state under DIRECTORY. The language server is this checkout's, unless
# OCTOLIMB_SERVER_PYTHON names another interpreter.
set -euo pipefail
TOOLS=$1 VSIX=$2 STATE=$3 PORT=$4
ROOT=$(cd "$(dirname "$0")/../.." && pwd)

export PATH="$TOOLS/bin:$PATH" OCTOLIMB_SERVER_PYTHON="${OCTOLIMB_SERVER_PYTHON:-$ROOT/.venv/bin/python}"
EDITOR_ENTRY="$TOOLS/code-server/node_modules/code-server/out/node/entry.js"

mkdir -p "$STATE/user/User" "$STATE/user/Machine" "$STATE/extensions"
cat > "$STATE/user/User/settings.json" << 'SETTINGS'
{
  "workbench.startupEditor": "none",
  "telemetry.telemetryLevel": "off",
  "update.mode": "none",
  "extensions.autoUpdate": false,
  "extensions.autoCheckUpdates": false,
  "extensions.ignoreRecommendations": true,
  "workbench.enableExperiments": false,
  "files.autoSave": "off",
  "files.hotExit": "off",
  "chat.disableAIFeatures": true,
  "workbench.secondarySideBar.defaultVisibility": "hidden",
  "workbench.reduceMotion": "on"
}
SETTINGS
# Settings of the machine's scope reach extensions late or never when they stand in the user's file alone.
cp "$STATE/user/User/settings.json" "$STATE/user/Machine/settings.json"
printf 'bind-addr: 127.0.0.1:%s\nauth: none\ncert: false\n' "$PORT" > "$STATE/config.yaml"

code_server() {
  node "$EDITOR_ENTRY" --config "$STATE/config.yaml" --user-data-dir "$STATE/user" --extensions-dir "$STATE/extensions" "$@"
}
# A terminal inside VS Code passes this on, and the command would then speak to that editor.
unset VSCODE_IPC_HOOK_CLI
code_server --install-extension "$VSIX" > "$STATE/install.log" 2>&1 || { cat "$STATE/install.log" >&2; exit 1; }
exec node "$EDITOR_ENTRY" --config "$STATE/config.yaml" --user-data-dir "$STATE/user" --extensions-dir "$STATE/extensions" \
  --disable-telemetry --disable-update-check --disable-workspace-trust --disable-getting-started-override
