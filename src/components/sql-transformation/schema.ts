import { LONGEST_SECONDS, USUAL_SECONDS } from './time-limit.ts';

const MOST_STATEMENTS = 1000;
const LONGEST_STATEMENT = 1_000_000;

const id = { type: 'integer', minimum: 1 };

/** Parameters of `sql.transformation`. */
export const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['statements'],
  properties: {
    statements: {
      type: 'array',
      minItems: 1,
      maxItems: MOST_STATEMENTS,
      items: { type: 'string', minLength: 1, maxLength: LONGEST_STATEMENT },
      title: 'Statements',
      description: 'SQL statements, one in each entry, run in their order.',
    },
    connection: {
      title: 'Connection',
      description: '"embedded": the database of the project; or a source or destination that offers SQL, by its id.',
      default: 'embedded',
      oneOf: [
        { const: 'embedded', title: 'Database of the project' },
        {
          type: 'object',
          title: 'Source',
          additionalProperties: false,
          required: ['source'],
          properties: { source: { ...id, title: 'Source', description: 'Id of a source that offers SQL.' } },
        },
        {
          type: 'object',
          title: 'Destination',
          additionalProperties: false,
          required: ['destination'],
          properties: {
            destination: { ...id, title: 'Destination', description: 'Id of a destination that offers SQL.' },
          },
        },
      ],
    },
    variables: {
      type: 'object',
      maxProperties: 200,
      additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
      title: 'Variables',
      description:
        'Values of :name in statements; they are bound, never put into the text. Under "#name" they are secret.',
    },
    inTransaction: {
      type: 'boolean',
      default: true,
      title: 'In one transaction',
      description: 'An error takes back what the statements before it have done.',
    },
    timeoutSeconds: {
      type: 'integer',
      minimum: 1,
      maximum: LONGEST_SECONDS,
      default: USUAL_SECONDS,
      title: 'Time limit in seconds',
      description: 'After it the running statement is ended, and nothing of an open transaction is kept.',
    },
    projectId: {
      type: 'string',
      minLength: 1,
      maxLength: 300,
      default: 'olake',
      title: 'Project of the lake tables',
      description: 'Whose tables lake.<database>.<table> are.',
    },
  },
};
