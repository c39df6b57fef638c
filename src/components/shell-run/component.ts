import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
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

interface Ask extends ProgramAsk {
  readonly command: string;
}

function readAsk(parameters: Parameters): Ask {
  return { ...readProgramAsk(parameters), command: (parameters['command'] as string | undefined) ?? '' };
}

/** Runs a program of this server that its administrator allows. */
export const component: CreateComponent = ({ config }) => {
  const { dataDir, shellPrograms: entries } = config;
  const allowed: AllowList = { setting: 'PENSTOCK_SHELL_PROGRAMS', entries, parameter: 'command', noun: 'program' };
  return {
    id: 'shell.run',
    name: 'Program',
    description: 'Runs a program of this server, one of those that its administrator allows.',
    schema,
    graceMs: TERM_GRACE_MS + 5000,
    isOffBecause: isOffWithout(allowed),
    check(parameters) {
      const ask = readAsk(parameters);
      checkProgramInput({ texts: [ask.command, ...ask.args], env: ask.env });
      refuseCode(ask.env);
      refuseUnlisted(allowed, ask.command);
    },
    async execute(call) {
      const ask = readAsk(call.parameters);
      // The list may have become shorter since the run was accepted.
      refuseUnlisted(allowed, ask.command);
      return runShell(dataDir, call, ask);
    },
  } satisfies ComponentSpec;
};

async function runShell(dataDir: string, call: ComponentCall, ask: Ask): Promise<unknown> {
  await access(ask.command, constants.X_OK).catch((error: NodeJS.ErrnoException) => {
    throw new Failure('configuration_invalid', `${ask.command} cannot be started: ${error.code}`, { cause: error });
  });
  return inWorkFolder({ dataDir }, call, async (cwd) => {
    const limited = await limitsOf(ask);
    const order = { ...limited, env: readEnv(ask.env), cwd, timeoutMs: ask.timeoutSeconds * 1000 };
    return runProcess(call, order);
  });
}
