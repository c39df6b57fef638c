import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
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
import { refuseCode } from './environment.ts';
import { limitsOf } from './limits.ts';

const { args, env, timeoutSeconds } = programParameters;

const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['command'],
  properties: {
    command: {
      type: 'string',
      minLength: 1,
      maxLength: 4096,
      title: 'Program',
      description:
        'Absolute path of a program that the administrator of this server allows, e.g. /usr/local/bin/report.',
    },
    args,
    env,
    timeoutSeconds,
  },
};

interface Ask {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
}

function readAsk(parameters: Parameters): Ask {
  const given = parameters as Partial<Ask>;
  return {
    command: given.command ?? '',
    args: given.args ?? [],
    env: given.env ?? {},
    timeoutSeconds: given.timeoutSeconds ?? USUAL_SECONDS,
  };
}

/** Runs a program of this server that its administrator allows. */
export const component: CreateComponent = ({ config }) =>
  ({
    id: 'shell.run',
    name: 'Program',
    description: 'Runs a program of this server, one of those that its administrator allows.',
    schema,
    graceMs: TERM_GRACE_MS + 5000,
    isOffBecause:
      config.shellPrograms.length > 0
        ? null
        : 'Switched off: PENSTOCK_SHELL_PROGRAMS of this server allows no program.',
    check(parameters) {
      const ask = readAsk(parameters);
      checkProgramInput({ texts: [ask.command, ...ask.args], env: ask.env });
      refuseCode(ask.env);
      refuseUnlisted(config, ask);
    },
    execute: (call) => runShell(config, call, readAsk(call.parameters)),
  }) satisfies ComponentSpec;

type Settings = Pick<Config, 'shellPrograms' | 'dataDir'>;

/** The path must be one of the list, letter by letter: no other spelling of it, no arguments in it. */
function refuseUnlisted({ shellPrograms }: Settings, { command }: Ask): void {
  if (shellPrograms.includes(command)) return;
  throw new Failure('bad_request', `Parameter 'command': ${JSON.stringify(command)} is none of the allowed programs`, {
    advice: 'Ask the administrator to add it to PENSTOCK_SHELL_PROGRAMS.',
  });
}

async function runShell(config: Settings, call: ComponentCall, ask: Ask): Promise<unknown> {
  // The list may have become shorter since the run was accepted.
  refuseUnlisted(config, ask);
  await access(ask.command, constants.X_OK).catch((error: NodeJS.ErrnoException) => {
    throw new Failure('configuration_invalid', `${ask.command} cannot be started: ${error.code}`, { cause: error });
  });
  return inWorkFolder(config, call, async (cwd) => {
    const limited = await limitsOf(ask);
    const order = { ...limited, env: readEnv(ask.env), cwd, timeoutMs: ask.timeoutSeconds * 1000 };
    return runProcess(call, order);
  });
}
