import { TYPE_WORDS } from './settings.ts';

/** JSON Schema of the fields that every file source has (OLake contract, section 6, and ours). */
export const fileProperties = {
  compression: {
    type: 'string',
    title: 'Compression',
    enum: ['auto', 'none', 'gzip', 'zip', 'zstd'],
    default: 'auto',
    description: 'auto: by the first bytes of each file',
  },
  file_pattern: {
    type: 'string',
    title: 'File pattern',
    maxLength: 1000,
    description: 'Regular expression; only files whose path matches are read',
  },
  csv: {
    type: 'object',
    title: 'CSV',
    properties: {
      delimiter: { type: 'string', title: 'Delimiter', description: 'Empty: a comma, or a tab in .tsv files' },
      has_header: { type: 'boolean', title: 'Has a header', default: true },
      skip_rows: { type: 'integer', title: 'Lines to skip', default: 0, minimum: 0 },
      quote_character: { type: 'string', title: 'Quote', default: '"', maxLength: 2 },
    },
  },
  json: {
    type: 'object',
    title: 'JSON',
    properties: {
      line_delimited: {
        type: 'boolean',
        title: 'One object per line',
        description: 'Unset: each file shows. An array is read as one in any case',
      },
    },
  },
  column_types: {
    type: 'object',
    title: 'Column types',
    additionalProperties: { type: 'string', enum: TYPE_WORDS },
    description: 'Types of csv and JSON columns that are not to be recognised from samples',
  },
  sample_rows: {
    type: 'integer',
    title: 'Sampled rows',
    default: 1000,
    minimum: 1,
    description: 'Rows of a file by which the types of csv and JSON columns are recognised',
  },
  max_threads: {
    type: 'integer',
    title: 'Threads',
    default: 3,
    minimum: 1,
    description: 'Chunks read at the same time',
  },
  retry_count: { type: 'integer', title: 'Retries', default: 3, minimum: 0 },
} as const;

/** Form hints for the fields above. */
export const fileHints = {
  csv: {
    'ui:grid': [
      { delimiter: 12, quote_character: 12 },
      { has_header: 12, skip_rows: 12 },
    ],
  },
  json: { 'ui:grid': [{ line_delimited: 24 }] },
} as const;

export const fileRows = [
  { compression: 12, file_pattern: 12 },
  { csv: 24 },
  { json: 24 },
  { sample_rows: 12, column_types: 12 },
  { max_threads: 12, retry_count: 12 },
] as const;
