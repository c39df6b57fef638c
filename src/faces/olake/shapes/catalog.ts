import { Type } from 'typebox';
import { anyObject, mapOf, ref, text, word } from './parts.ts';

/** Shapes of the two files of a job: its streams and its state. Unknown keys in them are kept. */

const texts = Type.Array(text());

const SelectedStream = Type.Object(
  {
    stream_name: text(),
    partition_regex: Type.Optional(Type.Unknown()),
    normalization: Type.Optional(Type.Unknown({ description: 'true: columns; false: one JSON column.' })),
    append_mode: Type.Optional(Type.Unknown({ description: 'true: rows are added, never replaced.' })),
    chunk_column: Type.Optional(Type.Unknown()),
    use_source_column_names: Type.Optional(Type.Unknown()),
    filter: Type.Optional(Type.Unknown()),
    filter_config: Type.Optional(Type.Unknown({ description: '`{logical_operator, conditions}`, two at most.' })),
    selected_columns: Type.Optional(Type.Unknown({ description: '`{columns, sync_new_columns}`.' })),
    disabled: Type.Optional(Type.Unknown()),
    schema_policy: Type.Optional(
      Type.Unknown({
        description: 'evolve (default), freeze or quarantine: what becomes of new columns and wider types.',
      }),
    ),
    deletes: Type.Optional(Type.Unknown({ description: "mark or apply, instead of the destination's." })),
    delete_mode: Type.Optional(
      Type.Unknown({ description: "equality, position or copy_on_write, instead of the destination's." }),
    ),
  },
  { $id: 'SelectedStream', description: 'A stream that takes part in the sync, as it was found or sent.' },
);

const CatalogStream = Type.Object(
  {
    stream: Type.Object({
      name: text(),
      namespace: text(),
      type_schema: Type.Object({ properties: mapOf(anyObject, 'By column: type words and destination name.') }),
      supported_sync_modes: texts,
      source_defined_primary_key: texts,
      available_cursor_fields: texts,
      sync_mode: text('One of supported_sync_modes; empty where a sent catalog names none.'),
      cursor_field: Type.Optional(text('`primary` or `primary:fallback`.')),
      destination_database: text(),
      destination_table: text(),
      default_stream_properties: Type.Optional(Type.Unknown()),
      additional_properties: Type.Optional(Type.Unknown()),
    }),
  },
  { $id: 'CatalogStream', description: 'A stream of a source, with its columns and its table.' },
);

const catalog = {
  selected_streams: mapOf(Type.Array(ref('SelectedStream')), 'By namespace.'),
  streams: Type.Array(ref('CatalogStream')),
};

const Catalog = Type.Object(catalog, { $id: 'Catalog', description: 'The streams of a source: `streams.json`.' });

const Discovery = Type.Object(
  { streams_config: ref('Catalog'), ...catalog },
  { $id: 'Discovery', description: 'The same catalog twice: under streams_config, and bare.' },
);

const StateFile = Type.Object(
  {
    type: Type.Optional(word(['STREAM', 'GLOBAL', 'MIXED'])),
    version: Type.Optional(Type.Unknown({ description: 'Which rules its values follow; 7 now.' })),
    global: Type.Optional(Type.Unknown({ description: 'Position in the change log: `{state, streams}`.' })),
    streams: Type.Optional(
      Type.Array(
        Type.Object({
          stream: text(),
          namespace: Type.Optional(text()),
          sync_mode: Type.Optional(text()),
          state: Type.Unsafe({ type: 'object', description: 'Cursor values, chunks still to do, and so on.' }),
        }),
      ),
    ),
  },
  { $id: 'StateFile', description: 'How far a job has come: `state.json`; `{}` before the first sync.' },
);

export const catalogShapes = [SelectedStream, CatalogStream, Catalog, Discovery, StateFile];
