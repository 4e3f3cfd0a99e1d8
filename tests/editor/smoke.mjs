// smoke.mjs VSIX SHOTS: the extension activates in a real VS Code and its server answers; a server that is lost comes
// back by itself, and one that is lost again and again is told of, with a way out.

import { drive, until } from './driver.mjs';

const [vsix, shots] = process.argv.slice(2);

await drive(vsix, shots, async (editor) => {
  await editor.openFile('baskets.py', 'prices in cents');
  await editor.statusBarSays('green');
  editor.passed('the extension activates on a Python file and its server answers');
  await editor.shot('ready');

  const lost = [];
  const loseServer = async () => {
    const [server] = await until(() => fresh(editor, lost), 'a fresh server');
    lost.push(server);
    process.kill(server, 'SIGKILL');
  };
  await loseServer();
  await until(() => fresh(editor, lost), 'a fresh server');
  await editor.statusBarSays('green');
  editor.passed('a lost server comes back by itself');

  for (let time = 2; time <= 5; time += 1) await loseServer();
  await editor.statusBarSays('octolimb: stopped');
  await editor.sees('.notifications-toasts .notification-list-item:has-text("again and again")');
  editor.passed('a server that is lost again and again is told of, with a way out');
  await editor.shot('stopped');

  await editor.command('Octolimb: Restart Server');
  await editor.statusBarSays('green');
  if (editor.servers.length !== 1) throw new Error(`one server was expected, found ${editor.servers.length}`);
  editor.passed('a restart brings a fresh one');

  await editor.command('Octolimb: Show Log');
  await editor.sees('.output-view .view-line:has-text("session for")');
  editor.passed('the log has the server’s own lines');
  await editor.shot('log');
});

function fresh(editor, lost) {
  const found = editor.servers.filter((pid) => !lost.includes(pid));
  return found.length > 0 ? found : undefined;
}
