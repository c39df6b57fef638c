/**
 * Who may import whom. A room is a folder of `src/` (or a file directly in it); connectors are rooms of their own.
 * The same table is printed into ARCHITECTURE.md by `npm run generate`.
 */
export interface RoomRule {
  /** Folder below `src/`, or a file name for files directly in `src/`. `*` stands for any one folder. */
  readonly room: string;
  /** Rooms it may enter (through their index.ts). `everything` for the entries that see all. */
  readonly may: readonly string[] | 'everything';
  readonly why: string;
}

export const roomRules: readonly RoomRule[] = [
  { room: 'main.ts', may: 'everything', why: 'entry' },
  { room: 'platform.ts', may: 'everything', why: 'builds the product as a value' },
  { room: 'commands', may: 'everything', why: 'one file per subcommand' },
  { room: 'errors.ts', may: [], why: 'ground' },
  { room: 'world.ts', may: [], why: 'ground' },
  { room: 'config.ts', may: ['errors'], why: 'the only reader of the environment' },
  { room: 'columns', may: ['errors'], why: 'shape of data in memory' },
  { room: 'observe', may: ['errors', 'config', 'world'], why: 'logs and metrics' },
  { room: 'store', may: ['errors', 'config', 'world', 'observe'], why: 'the database' },
  { room: 'engine', may: ['store', 'errors', 'observe', 'world'], why: 'runs' },
  { room: 'access', may: ['store', 'errors', 'observe', 'world', 'config'], why: 'principals and secrets' },
  { room: 'http', may: ['access', 'errors', 'observe', 'world', 'config'], why: 'hosts the faces' },
  { room: 'schedule', may: ['engine', 'store', 'access', 'errors', 'observe', 'world'], why: 'when' },
  {
    room: 'notify',
    may: ['engine', 'store', 'access', 'outbound', 'errors', 'observe', 'world', 'config'],
    why: 'delivery from the outbox',
  },
  {
    room: 'lakehouse',
    may: ['columns', 'errors', 'world', 'observe'],
    why: 'usable as a library; never engine or store',
  },
  {
    room: 'files',
    may: ['lakehouse', 'columns', 'errors', 'world'],
    why: 'csv, json and parquet files of a folder, a bucket or the web, read as columns',
  },
  {
    room: 'warehouse',
    may: ['lakehouse', 'store', 'access', 'columns', 'errors', 'world', 'config', 'observe'],
    why: 'the built-in table catalog of each project, as other engines use it',
  },
  { room: 'connectors/kit', may: ['columns', 'lakehouse', 'errors', 'world'], why: 'interface and conformance suite' },
  {
    room: 'connectors/parquet',
    may: ['connectors/kit', 'columns', 'lakehouse', 'errors', 'world'],
    why: 'destination over the lakehouse',
  },
  {
    room: 'connectors/iceberg',
    may: ['connectors/kit', 'columns', 'lakehouse', 'errors', 'world'],
    why: 'destination over the lakehouse',
  },
  {
    room: 'connectors/file',
    may: ['connectors/kit', 'files', 'columns', 'errors', 'world'],
    why: 'source over files',
  },
  {
    room: 'connectors/s3',
    may: ['connectors/kit', 'files', 'columns', 'errors', 'world'],
    why: 'source over files',
  },
  {
    room: 'connectors/*',
    may: ['connectors/kit', 'columns', 'errors', 'world'],
    why: 'never another connector, store or engine',
  },
  { room: 'connectors', may: ['connectors/kit', 'errors'], why: 'finds connectors by their folder' },
  {
    room: 'sync',
    may: [
      'engine',
      'store',
      'access',
      'schedule',
      'connectors',
      'connectors/kit',
      'lakehouse',
      'columns',
      'errors',
      'observe',
      'world',
      'config',
    ],
    why: 'exceptions: connectors and lakehouse, because syncing is what joins them; schedule, because a job has one',
  },
  { room: 'outbound', may: ['errors', 'world', 'config'], why: 'the one guarded way to call other servers' },
  {
    room: 'components/kit',
    may: ['engine', 'outbound', 'lakehouse', 'access', 'errors', 'world', 'config'],
    why: 'interface, adapter and conformance suite of components',
  },
  {
    room: 'components/sync',
    may: ['components/kit', 'sync', 'engine', 'access', 'errors', 'world', 'config'],
    why: 'starts the runs of the sync room',
  },
  {
    room: 'components/*',
    may: [
      'components/kit',
      'outbound',
      'connectors',
      'connectors/kit',
      'lakehouse',
      'engine',
      'store',
      'access',
      'errors',
      'world',
      'config',
    ],
    why: 'one folder each; never another component',
  },
  { room: 'components', may: ['components/kit', 'errors', 'world', 'config'], why: 'finds components by their folder' },
  {
    room: 'orchestrate',
    may: [
      'engine',
      'store',
      'access',
      'schedule',
      'outbound',
      'components',
      'components/kit',
      'errors',
      'observe',
      'world',
      'config',
    ],
    why: 'orchestrations and their jobs; knows no other domain room, only components',
  },
  {
    room: 'lineage',
    may: ['engine', 'store', 'outbound', 'errors', 'observe', 'world', 'config'],
    why: 'tells other systems which run read and wrote what',
  },
  {
    room: 'faces/*',
    may: [
      'sync',
      'warehouse',
      'orchestrate',
      'notify',
      'engine',
      'access',
      'schedule',
      'http',
      'errors',
      'world',
      'config',
    ],
    why: 'translates; never another face, store, connectors or lakehouse',
  },
];
