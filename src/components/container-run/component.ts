import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import { Failure } from '../../errors.ts';
import {
  checkProgramInput,
  inWorkFolder,
  isOffWithout,
  programParameters,
  readEnv,
  readProgramAsk,
  refuseUnlisted,
  runProcess,
  TERM_GRACE_MS,
} from '../kit/index.ts';
import type { AllowList, ComponentCall, ComponentSpec, CreateComponent, Parameters, ProgramAsk } from '../kit/index.ts';
import { buildCommandLine, containerName, type ContainerAsk } from './command-line.ts';
import { explainEnd } from './ending.ts';
import { bringImage, environmentOf, REMOVAL_MS, removeContainer } from './runtime.ts';

const { args, env, timeoutSeconds } = programParameters;

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

type Ask = ContainerAsk & ProgramAsk;

function readAsk(parameters: Parameters): Ask {
  const given = parameters as Partial<ContainerAsk>;
  return {
    ...readProgramAsk(parameters),
    image: given.image ?? '',
    ...(given.command !== undefined && { command: given.command }),
    cpu: given.cpu ?? 1,
    memory: given.memory ?? '512m',
  };
}

/** Runs a container of an image that the administrator allows. */
export const component: CreateComponent = ({ config }) => {
  const entries = config.containerImages;
  const allowed: AllowList = { setting: 'PENSTOCK_CONTAINER_IMAGES', entries, parameter: 'image', noun: 'image' };
  return {
    id: 'container.run',
    name: 'Container',
    description: 'Runs a container without network on this server, of an image that its administrator allows.',
    schema,
    graceMs: TERM_GRACE_MS + REMOVAL_MS + 5000,
    isOffBecause: isOffWithout(allowed),
    check(parameters) {
      const ask = readAsk(parameters);
      checkProgramInput({ texts: [ask.image, ask.command ?? '', ...ask.args], env: ask.env });
      refuseBrokenLines(ask.env);
      refuseUnlisted(allowed, ask.image);
    },
    async execute(call) {
      const ask = readAsk(call.parameters);
      // The list may have become shorter since the run was accepted.
      refuseUnlisted(allowed, ask.image);
      return runContainer(config, call, ask);
    },
  } satisfies ComponentSpec;
};

/** The file of the variables has one on each line. */
function refuseBrokenLines(given: Readonly<Record<string, string>>): void {
  const broken = Object.entries(given).find(([, value]) => /[\r\n]/.test(value));
  if (broken) throw new Failure('bad_request', `Parameter 'env.${broken[0]}' must be one line`);
}

async function runContainer(
  config: Pick<Config, 'containerProgram' | 'dataDir'>,
  call: ComponentCall,
  ask: Ask,
): Promise<unknown> {
  const name = containerName(call.attempt.task.id);
  try {
    return await inWorkFolder(config, call, async (cwd) => {
      const envFile = join(cwd, 'variables');
      const lines = Object.entries(readEnv(ask.env)).map(([key, value]) => `${key}=${value}\n`);
      await writeFile(envFile, lines.join(''), { mode: 0o600 });
      await bringImage(config, call, { image: ask.image, cwd });
      return await runProcess(call, {
        program: config.containerProgram,
        args: buildCommandLine(ask, { name, envFile }),
        env: environmentOf('other'),
        cwd,
        timeoutMs: ask.timeoutSeconds * 1000,
        explain: (code, output) => explainEnd(ask, code, output),
      });
    });
  } catch (error) {
    // It ends with the program that waits for it, unless that was killed: now, or with the server that had started it.
    await removeContainer(config, name);
    throw error;
  }
}
