const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];

/** The parameters of `http.call` (keboola contract, section 9). */
export const schema = {
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  properties: {
    url: {
      type: 'string',
      minLength: 1,
      maxLength: 2048,
      title: 'URL',
      description: 'https://…, on a host that the operator allows; http:// only for trusted host:port.',
    },
    method: {
      type: 'string',
      enum: METHODS,
      default: 'GET',
      title: 'Method',
      description: 'What the call does at the address.',
    },
    headers: {
      type: 'object',
      additionalProperties: { type: 'string' },
      title: 'Headers',
      description: 'A name that begins with # keeps its value secret; it is sent without the #.',
    },
    body: {
      type: ['object', 'array', 'string'],
      title: 'Body',
      description: 'An object or an array is sent as JSON, a text as it is.',
    },
    auth: {
      type: 'object',
      additionalProperties: false,
      title: 'Authorization',
      description: 'How the call shows who makes it; none when absent.',
      properties: {
        type: {
          type: 'string',
          enum: ['bearer', 'basic'],
          title: 'Kind',
          description: 'By token, or by name and password.',
        },
        '#token': { type: 'string', minLength: 1, format: 'password', title: 'Token', description: 'For bearer.' },
        user: { type: 'string', title: 'User', description: 'For basic.' },
        '#password': { type: 'string', format: 'password', title: 'Password', description: 'For basic.' },
      },
    },
    expect: {
      type: 'object',
      additionalProperties: false,
      title: 'Expectation',
      description: 'What the answer must be like for the call to succeed.',
      properties: {
        status: {
          type: ['integer', 'array'],
          minimum: 100,
          maximum: 599,
          minItems: 1,
          items: { type: 'integer', minimum: 100, maximum: 599 },
          title: 'Status',
          description: 'One status or several; any 2xx when absent.',
        },
        path: {
          type: 'string',
          minLength: 1,
          maxLength: 500,
          title: 'Path',
          description: 'Where to look in a JSON answer: names and positions with dots, e.g. data.0.state.',
        },
        equals: { title: 'Value', description: 'The JSON value that must be there, or be the whole answer.' },
      },
    },
    timeoutSeconds: {
      type: 'integer',
      minimum: 1,
      maximum: 3600,
      default: 30,
      title: 'Time limit in seconds',
      description: 'After it the call is given up.',
    },
  },
} as const;
