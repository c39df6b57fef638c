import { join } from 'node:path';
import type { DiscoveredStream, LogLine } from '../../connectors/kit/index.ts';
import { findDestination, findSource } from '../../connectors/index.ts';
import { cloudEnvironment } from '../../config.ts';
import { Failure, toFailure } from '../../errors.ts';
import { newId } from '../../world.ts';
import { checkDestinationConfig } from '../attempt/surroundings.ts';
import { checkConfig } from '../attempt/config.ts';
import { folderRules } from '../attempt/folders.ts';
import { runInChild } from '../attempt/host.ts';
import type { AttemptHost } from '../attempt/host.ts';
import { answerFromCatalog } from '../attempt/io.ts';
import type { OpenConnection, SyncResult, Work } from '../attempt/work.ts';
import {
  buildCatalog,
  defaultsOf,
  differCatalogs,
  mergeCatalog,
  parseCatalog,
  withTextFilters,
  parseState,
  selectedIds,
  streamId,
  tableOf,
  withoutStreams,
  withChange,
  writeState,
} from '../catalog/index.ts';
import { need, readArguments } from './arguments.ts';
import type { CommandArguments } from './arguments.ts';
import { beside, readJson, readText, writeWhole } from './files.ts';
import { lazyCatalog } from './io.ts';
import type { CommandIo } from './io.ts';
import { logMessage, messageLine, openLogFile } from './log.ts';
import { describeStats } from './stats.ts';

/** Outside of the server a job has no number: its tables' checkpoints are kept under this name. */
const PROJECT = 'local';
const CHECK_MS = 60_000;
const DISCOVER_MS = 10 * 60_000;

const EXIT = { ok: 0, failed: 1, usage: 2, cancelled: 130 } as const;

/** `penstock connector …` (contract 5.1): JSON message lines on stdout. Answers the exit code; never throws. */
export async function runConnectorCommand(args: readonly string[], io: CommandIo): Promise<number> {
  let parsed: CommandArguments;
  try {
    parsed = readArguments(args);
  } catch (error) {
    io.write(`${toFailure(error).message}\n`);
    return EXIT.usage;
  }
  try {
    return await perform(parsed, io);
  } catch (error) {
    const failure = toFailure(error);
    const cancelled = io.signal.aborted || failure.kind === 'cancelled';
    io.write(logMessage({ level: cancelled ? 'warn' : 'fatal', message: failure.message }, io.world.now()));
    if (failure.message.includes('is required\n')) return EXIT.usage;
    return cancelled ? EXIT.cancelled : EXIT.failed;
  }
}

function perform(args: CommandArguments, io: CommandIo): Promise<number> {
  switch (args.verb) {
    case 'spec':
      return spec(args, io);
    case 'check':
      return check(args, io);
    case 'discover':
      return args.difference === undefined ? discover(args, io) : difference(args, io);
    case 'sync':
      return sync(args, io);
    case 'clear-destination':
      return clear(args, io);
  }
}

async function spec(args: CommandArguments, io: CommandIo): Promise<number> {
  const { jsonschema, uischema } =
    args.destinationType === undefined
      ? (await findSource(args.type)).spec()
      : (await findDestination(args.destinationType)).spec();
  io.write(messageLine('SPEC', { spec: { jsonschema, uischema: JSON.stringify(uischema) } }));
  return EXIT.ok;
}

async function check(args: CommandArguments, io: CommandIo): Promise<number> {
  const side = args.config === undefined ? 'destination' : 'source';
  try {
    const connection =
      side === 'source'
        ? await sourceOf(args)
        : await destinationOf(need(args.destination, '--config or --destination'));
    const folders = folderRules(io.config, PROJECT);
    await inChild(io, { work: { kind: 'check', side, folders, connection }, limitMs: args.timeoutMs ?? CHECK_MS });
    io.write(messageLine('CONNECTION_STATUS', { connectionStatus: { status: 'SUCCEEDED', message: '' } }));
    return EXIT.ok;
  } catch (error) {
    const { message } = toFailure(error);
    if (io.signal.aborted || message.includes('is required\n')) throw error;
    io.write(messageLine('CONNECTION_STATUS', { connectionStatus: { status: 'FAILED', message } }));
    return EXIT.failed;
  }
}

async function discover(args: CommandArguments, io: CommandIo): Promise<number> {
  const source = await sourceOf(args);
  const connector = await findSource(source.type);
  const folders = folderRules(io.config, PROJECT);
  const work: Work = { kind: 'discover', folders, source, threads: args.threads };
  const found = (await inChild(io, { work, limitMs: args.timeoutMs ?? DISCOVER_MS })) as readonly DiscoveredStream[];
  const naming = { prefix: args.prefix, database: connector.databaseWord(source.config) };
  const fresh = buildCatalog(found, naming, defaultsOf(connector.type));
  const catalog = args.streams === undefined ? fresh : mergeCatalog(fresh, parseCatalog(readJson(args.streams)));
  if (args.save) writeWhole(beside(args.config!, 'streams.json'), JSON.stringify(catalog, null, 2));
  io.write(messageLine('CATALOG', { catalog }));
  return EXIT.ok;
}

function difference(args: CommandArguments, io: CommandIo): Promise<number> {
  const old = need(args.streams, '--streams');
  const catalog = differCatalogs(parseCatalog(readJson(old)), parseCatalog(readJson(args.difference!)));
  if (args.save) writeWhole(beside(old, 'difference_streams.json'), JSON.stringify(catalog, null, 2));
  io.write(messageLine('CATALOG', { catalog }));
  return Promise.resolve(EXIT.ok);
}

async function sync(args: CommandArguments, io: CommandIo): Promise<number> {
  const home = need(args.config, '--config');
  const source = await sourceOf(args);
  const destination = await destinationOf(need(args.destination, '--destination'));
  const catalog = withTextFilters(parseCatalog(readText(need(args.streams, '--catalog'))));
  let state = parseState(args.state === undefined ? '{}' : readText(args.state));
  const statePath = args.state ?? beside(home, 'state.json');
  const { world, config } = io;
  const run = newId(world, 'r');
  const file = args.save ? openLogFile(beside(home, '.'), 'sync', world) : undefined;
  const folders = folderRules(config, PROJECT);
  const work: Work = {
    kind: 'sync',
    folders,
    ...(config.testStopAt === null ? {} : { stopAt: config.testStopAt }),
    project: PROJECT,
    jobId: 0,
    run,
    catalog,
    advanced: {},
    source,
    destination,
    state: writeState(state),
    runFolder: join(beside(home, 'logs'), run),
  };
  const result = (await inChild(io, {
    work,
    file,
    progress: (value) => {
      if (args.save) writeWhole(beside(home, 'stats.json'), JSON.stringify(describeStats(value), null, 2));
    },
    saveState: (change) => {
      state = withChange(state, parseState(change));
      if (args.save) writeWhole(statePath, writeState(state));
    },
  })) as SyncResult;
  const { progress, warnings } = result;
  if (args.save) writeWhole(beside(home, 'stats.json'), JSON.stringify(describeStats(progress), null, 2));
  const message = `${progress.records} rows in ${progress.secondsElapsed.toFixed(1)} s, ${warnings} warnings`;
  io.write(logMessage({ level: 'info', message }, world.now()));
  io.write(messageLine('STATE', { state }));
  return EXIT.ok;
}

async function clear(args: CommandArguments, io: CommandIo): Promise<number> {
  const path = need(args.streams, '--streams');
  const destination = await destinationOf(need(args.destination, '--destination'));
  const catalog = parseCatalog(readJson(path));
  const ids = new Set(selectedIds(catalog));
  const tables = catalog.streams.filter((entry) => ids.has(streamId(entry.stream))).map(tableOf);
  const folders = folderRules(io.config, PROJECT);
  await inChild(io, { work: { kind: 'clear', folders, destination, tables } });
  const state = withoutStreams(parseState(args.state === undefined ? '{}' : readText(args.state)), ids);
  if (args.save) writeWhole(args.state ?? beside(path, 'state.json'), writeState(state));
  io.write(messageLine('STATE', { state }));
  return EXIT.ok;
}

async function sourceOf(args: CommandArguments): Promise<OpenConnection> {
  const connector = await findSource(args.type);
  const config = readJson(need(args.config, '--config'));
  checkConfig(connector.type, connector.spec(), config);
  return { type: connector.type, config };
}

/** A destination file names its type itself: `{"type":"PARQUET","writer":{…}}`. */
async function destinationOf(path: string): Promise<OpenConnection> {
  const config = readJson(path);
  const word = (config as { type?: unknown } | null)?.type;
  if (typeof word !== 'string') throw new Failure('configuration_invalid', `${path}: "type" is required`);
  const connector = await findDestination(word);
  checkDestinationConfig(connector, config);
  return { type: connector.type, config };
}

interface ChildWork {
  readonly work: Work;
  readonly limitMs?: number;
  readonly file?: (line: LogLine) => void;
  readonly progress?: AttemptHost['progress'];
  readonly saveState?: (change: string) => void;
}

async function inChild(io: CommandIo, child: ChildWork): Promise<unknown> {
  const late = new AbortController();
  const { limitMs } = child;
  const timer = limitMs && setTimeout(() => late.abort(tooSlow(limitMs)), limitMs);
  const catalog = lazyCatalog(io, PROJECT);
  const host: AttemptHost = {
    environment: cloudEnvironment(io.config),
    signal: AbortSignal.any([io.signal, late.signal]),
    log(line) {
      child.file?.(line);
      io.write(logMessage(line, io.world.now()));
    },
    progress: (value) => child.progress?.(value),
    async answer(question) {
      if (question.ask === 'guard') return null;
      if (question.ask !== 'saveState') return answerFromCatalog(await catalog.get(), question);
      child.saveState?.(question.change);
      return null;
    },
  };
  try {
    return await runInChild(child.work, host);
  } finally {
    clearTimeout(timer || undefined);
    await catalog.close();
  }
}

function tooSlow(limitMs: number): Failure {
  return new Failure('timed_out', `no answer within ${limitMs / 1000} seconds`);
}
