import { Type } from 'typebox';
import { config, count, lastRun, ref, rowId, streamsConfig, text, time, word, written } from './parts.ts';

/** Shapes of sources, destinations and jobs, of their forms and of tries of them. */

const connection = {
  id: rowId,
  name: text(),
  type: text('As the client spelled it.'),
  version: text(),
  config,
  ...written,
};

const jobOfConnection = { id: rowId, name: text(), activate: Type.Boolean(), ...lastRun };

const Source = Type.Object(
  {
    ...connection,
    jobs: Type.Array(
      Type.Object({
        ...jobOfConnection,
        dest_name: text(),
        destination_name: text('The same as dest_name.'),
        destination_type: text(),
      }),
      { description: 'The jobs that read it.' },
    ),
  },
  { $id: 'Source', description: 'A source; secrets of its config are `********`.' },
);

const Destination = Type.Object(
  {
    ...connection,
    jobs: Type.Array(Type.Object({ ...jobOfConnection, source_name: text(), source_type: text() }), {
      description: 'The jobs that write to it.',
    }),
  },
  { $id: 'Destination', description: 'A destination; secrets of its config are `********`.' },
);

const ConnectionEcho = Type.Object(
  { id: rowId, name: text(), type: text(), version: text(), config },
  { $id: 'ConnectionEcho', description: 'A source or destination as it was sent, and its id.' },
);

const end = Type.Object({ id: rowId, name: text(), type: text(), version: text(), config });

const Job = Type.Object(
  {
    id: rowId,
    name: text(),
    source: end,
    destination: end,
    streams_config: streamsConfig,
    frequency: text('`manual`, `15-minutes`, `daily`, a cron expression and so on.'),
    activate: Type.Boolean({ description: 'Whether the job is on its schedule.' }),
    ...lastRun,
    last_run_type: Type.Optional(word(['sync', 'clear'])),
    ...written,
    advanced_settings: Type.Optional(ref('AdvancedSettings')),
  },
  { $id: 'Job', description: 'A job; secrets of its configs are `********`.' },
);

const AdvancedSettings = Type.Object(
  {
    max_discover_threads: Type.Optional(count()),
    max_threads: Type.Optional(count()),
    memory_mb: Type.Optional(count()),
    timeout_minutes: Type.Optional(count()),
    retry_count: Type.Optional(count()),
    error_policy: Type.Optional(word(['fail', 'quarantine'])),
    max_quarantine: Type.Optional(count()),
  },
  { $id: 'AdvancedSettings', description: 'Limits of the runs of a job; unknown keys are kept.' },
);

const endSent = Type.Object({
  id: Type.Optional(Type.Union([rowId, Type.Null()])),
  name: Type.Optional(text()),
  type: Type.Optional(text()),
  version: Type.Optional(text()),
  config: Type.Optional(config),
});

const JobEcho = Type.Object(
  {
    id: rowId,
    name: text(),
    source: endSent,
    destination: endSent,
    frequency: text(),
    streams_config: streamsConfig,
    activate: Type.Optional(Type.Boolean()),
    advanced_settings: Type.Optional(Type.Unknown()),
    difference_streams: Type.Optional(Type.Unknown()),
  },
  { $id: 'JobEcho', description: 'A job as it was sent, and its id.' },
);

const form = Type.Object({
  jsonschema: Type.Unsafe({ type: 'object', description: 'A JSON Schema of the config.' }),
  uischema: text('JSON text: how a form shows the fields.'),
});

const SourceSpec = Type.Object(
  { type: text(), version: text(), spec: form },
  { $id: 'SourceSpec', description: 'The form of the config of a source type.' },
);

const DestinationSpec = Type.Object(
  { type: text(), version: text(), catalog: text('Empty where the type has no catalogs.'), spec: form },
  { $id: 'DestinationSpec', description: 'The form of the config of a destination type.' },
);

const Versions = Type.Object(
  { version: Type.Array(text(), { minItems: 1 }) },
  { $id: 'Versions', description: 'Versions of a connector, newest first.' },
);

const LogLine = Type.Object(
  { level: word(['debug', 'info', 'warn', 'error', 'fatal']), time: time(), message: text() },
  { $id: 'LogLine', description: 'One line of a log.' },
);

const TestResult = Type.Object(
  {
    type: text(),
    version: text(),
    config,
    connection_result: Type.Object({ status: word(['SUCCEEDED', 'FAILED']), message: text() }),
    logs: Type.Array(ref('LogLine')),
  },
  { $id: 'TestResult', description: 'What was sent, and whether it works.' },
);

export const connectionShapes = [
  Source,
  Destination,
  ConnectionEcho,
  AdvancedSettings,
  Job,
  JobEcho,
  SourceSpec,
  DestinationSpec,
  Versions,
  LogLine,
  TestResult,
];
