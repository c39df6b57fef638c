import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface RunningServer {
  readonly url: string;
  readonly process: ChildProcess;
  stop(): Promise<void>;
}

/** Starts `penstock serve` as a user would and waits for its `/health`. */
export async function startServer(settings: {
  dataDir: string;
  port: number;
  password: string;
  /** `host:port` that tasks may call by plain http. */
  trusted?: string;
}): Promise<RunningServer> {
  const command = join(import.meta.dirname, '..', '..', 'bin', 'penstock.cjs');
  const child = spawn(process.execPath, [command, 'serve'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      PENSTOCK_DATA_DIR: settings.dataDir,
      PENSTOCK_PORT: String(settings.port),
      PENSTOCK_ADMIN_PASSWORD: settings.password,
      PENSTOCK_TRUSTED_COMPONENT_HOSTS: settings.trusted ?? '',
    },
  });
  const url = await announcedUrl(child);
  return { url, process: child, stop: () => stop(child) };
}

function announcedUrl(child: ChildProcess): Promise<string> {
  const said: string[] = [];
  return new Promise((resolve, reject) => {
    const hear = (line: string): void => {
      said.push(line);
      const found = /https?:\/\/[\w.:[\]-]+/.exec(line);
      if (found) resolve(found[0]);
    };
    createInterface({ input: child.stdout! }).on('line', hear);
    createInterface({ input: child.stderr! }).on('line', hear);
    child.once('exit', (code) => reject(new Error(`penstock serve ended with ${code}:\n${said.join('\n')}`)));
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}
