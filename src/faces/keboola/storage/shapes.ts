/** Shapes of the storage subset for the document; nothing is checked by them. */

const text = { type: 'string' };
const flag = { type: 'boolean' };
const time = { type: 'string', examples: ['2026-11-20T13:00:00+0000'] };
const maybeTime = { anyOf: [time, { type: 'null' }] };
const map = { type: 'object', additionalProperties: text };
const texts = { type: 'array', items: text };
const named = { type: 'object', properties: { id: text, description: text } };

const tokenFields = {
  id: text,
  created: time,
  refreshed: time,
  description: text,
  uri: text,
  isMasterToken: flag,
  canManageBuckets: flag,
  canManageTokens: flag,
  canReadAllFileUploads: flag,
  canPurgeTrash: flag,
  expires: maybeTime,
  isExpired: flag,
  isDisabled: flag,
  dailyCapacity: { type: 'integer' },
  bucketPermissions: map,
  componentAccess: texts,
  creatorToken: { anyOf: [named, { type: 'null' }] },
};

export const token = { type: 'object', required: Object.keys(tokenFields), properties: tokenFields };

export const tokens = { type: 'array', items: token };

/** With the text of the token. */
export const withText = { ...token, properties: { ...tokenFields, token: text } };

export const verified = {
  ...token,
  properties: {
    ...tokenFields,
    token: { anyOf: [text, { type: 'null' }] },
    owner: {
      type: 'object',
      properties: { id: { type: 'integer' }, name: text, type: text, region: text, limits: { type: 'object' } },
    },
    admin: { type: 'object', properties: { id: { type: 'integer' }, name: text, role: text } },
  },
};

const changeFields = { description: { ...text, maxLength: 255 }, bucketPermissions: map, componentAccess: texts };

export const tokenChange = { type: 'object', properties: changeFields };

export const newToken = {
  type: 'object',
  properties: {
    ...changeFields,
    canManageBuckets: flag,
    canManageTokens: flag,
    canReadAllFileUploads: flag,
    canPurgeTrash: flag,
    expiresIn: { type: 'integer', minimum: 1, description: 'seconds' },
  },
};
