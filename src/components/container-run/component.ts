import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import {
  checkProgramInput,
  inWorkFolder,
  programParameters,
  readEnv,
  runProcess,
  TERM_GRACE_MS,
  USUAL_SECONDS,
} from '../kit/index.ts';
import type { ComponentCall, ComponentSpec, CreateComponent, Parameters } from '../kit/index.ts';
import { buildCommandLine, containerName, type ContainerAsk } from './command-line.ts';

const { args, env, timeoutSeconds } = programParameters;
const REMOVAL_MS = 10_000;
/** Where the program that runs containers looks for others. */
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['image'],
  properties: {
    image: {
      type: 'string',
      minLength: 1,
      maxLength: 1000,
      title: 'Image',
      description: 'An image that the administrator of this server allows, spelled as there.',
    },
    command: {
      type: 'string',
      minLength: 1,
      maxLength: 4096,
      title: 'Program',
      description: 'Program in the image; its own entry point when absent.',
    },
    args,
    env,
    cpu: {
      type: 'number',
      minimum: 0.01,
      maximum: 64,
      default: 1,
      title: 'Processors',
      description: 'How many processors it may use, e.g. 0.5.',
    },
    memory: {
      type: 'string',
      pattern: '^[1-9][0-9]{0,6}[kmgKMG]$',
      default: '512m',
      title: 'Memory',
      description: 'Number with k, m or g, e.g. 512m. A container that needs more is ended.',
    },
    timeoutSeconds,
  },
};

interface Ask extends ContainerAsk {
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
}

function readAsk(parameters: Parameters): Ask {
  const given = parameters as Partial<Ask>;
  return {
    image: given.image ?? '',
    ...(given.command !== undefined && { command: given.command }),
    args: given.args ?? [],
    env: given.env ?? {},
    cpu: given.cpu ?? 1,
    memory: given.memory ?? '512m',
    timeoutSeconds: given.timeoutSeconds ?? USUAL_SECONDS,
  };
}

/** Runs a container of an image that the administrator allows. */
export const component: CreateComponent = ({ config }) =>
  ({
    id: 'container.run',
    name: 'Container',
    description: 'Runs a container without network on this server, of an image that its administrator allows.',
    schema,
    graceMs: TERM_GRACE_MS + REMOVAL_MS + 5000,
    isOffBecause:
      config.containerImages.length > 0
        ? null
        : 'Switched off: PENSTOCK_CONTAINER_IMAGES of this server allows no image.',
    check: (parameters) => check(config, readAsk(parameters)),
    execute: (call) => runContainer(config, call, readAsk(call.parameters)),
  }) satisfies ComponentSpec;

type Settings = Pick<Config, 'containerImages' | 'containerProgram' | 'dataDir'>;

function check(config: Settings, ask: Ask): void {
  checkProgramInput({ texts: [ask.image, ask.command ?? '', ...ask.args], env: ask.env });
  const broken = Object.entries(ask.env).find(([, value]) => /[\r\n]/.test(value));
  if (broken) throw new Failure('bad_request', `Parameter 'env.${broken[0]}' must be one line`);
  refuseUnlisted(config, ask);
}

function refuseUnlisted({ containerImages }: Settings, { image }: Ask): void {
  if (containerImages.includes(image) && !image.startsWith('-')) return;
  throw new Failure('bad_request', `Parameter 'image': ${JSON.stringify(image)} is none of the allowed images`, {
    advice: 'Ask the administrator to add it to PENSTOCK_CONTAINER_IMAGES.',
  });
}

async function runContainer(config: Settings, call: ComponentCall, ask: Ask): Promise<unknown> {
  // The list may have become shorter since the run was accepted.
  refuseUnlisted(config, ask);
  const name = containerName(call.attempt.task.id);
  // The container of a lost attempt lives on when only the program that waits for it has died.
  if (call.attempt.task.memo !== null) await removeContainer(config, name);
  return inWorkFolder(config, call, async (cwd) => {
    const envFile = join(cwd, 'variables');
    const lines = Object.entries(readEnv(ask.env)).map(([key, value]) => `${key}=${value}\n`);
    await writeFile(envFile, lines.join(''), { mode: 0o600 });
    try {
      return await runProcess(call, {
        program: config.containerProgram,
        args: buildCommandLine(ask, { name, envFile }),
        env: { PATH: SEARCH_PATH, HOME: cwd },
        cwd,
        timeoutMs: ask.timeoutSeconds * 1000,
      });
    } catch (error) {
      // It ends with the program that waits for it, unless that was killed.
      await removeContainer(config, name);
      throw error;
    }
  });
}

/** Ends and removes the container if it is there; never fails. */
function removeContainer({ containerProgram }: Settings, name: string): Promise<void> {
  const options = { env: { PATH: SEARCH_PATH }, timeout: REMOVAL_MS, killSignal: 'SIGKILL' } as const;
  return new Promise((resolve) => {
    execFile(containerProgram, ['rm', '--force', '--', name], options, () => resolve());
  });
}
