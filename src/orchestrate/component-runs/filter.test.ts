import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ComponentSpec } from '../../components/kit/index.ts';
import { parseFilter } from './filter.ts';
import { checkParameters, readEnvelope, readParameters } from './parameters.ts';
import { createMasker, maskParameters } from './secrets.ts';

describe('the filter of the queue', () => {
  it('reads terms that are joined by blanks, AND or +, and negated by -', () => {
    const terms = parseFilter('+component:http.call AND -status:error  runId:77.* params.config:4 token.id:31');
    assert.deepEqual(
      terms.map(({ field, value, isNegated, isPrefix }) => [field, value, isNegated, isPrefix]),
      [
        ['component', 'http.call', false, false],
        ['status', 'error', true, false],
        ['runId', '77.', false, true],
        ['params.config', '4', false, false],
        ['token.id', '31', false, false],
      ],
    );
    assert.deepEqual(parseFilter('  '), []);
  });

  it('refuses every other syntax', () => {
    const bad = ['x', 'name:x', 'component:', 'AND', 'component:a AND', 'component:a AND AND status:b', 'component:a*'];
    for (const text of [...bad, 'status:"a"', '(status:a)', 'component:a OR status:b', 'runId:7*1', 'runId:abc']) {
      assert.throws(() => parseFilter(text), { kind: 'bad_request' }, text);
    }
  });
});

function spec(more: Partial<ComponentSpec> = {}): ComponentSpec {
  return {
    id: 'test.one',
    name: 'One',
    description: '',
    schema: {
      type: 'object',
      additionalProperties: false,
      required: ['jobId'],
      properties: {
        jobId: { type: 'integer' },
        streams: { type: 'array', items: { type: 'string' } },
        pass: { type: 'string', format: 'password' },
      },
    },
    configParameter: 'jobId',
    isOffBecause: null,
    execute: async () => ({}),
    ...more,
  };
}

describe('the parameters of a component', () => {
  it('come as the bare body, as config or as configData', () => {
    const expected = { parameters: { jobId: 4 }, config: '4' };
    assert.deepEqual(readParameters(spec(), { jobId: 4 }), expected);
    assert.deepEqual(readParameters(spec(), { config: '4' }), expected);
    assert.deepEqual(readParameters(spec(), { configData: { parameters: { jobId: 4 } } }), expected);
    assert.deepEqual(readEnvelope(spec(), { config: 4 }), expected);
    assert.deepEqual(readEnvelope(spec(), { configData: { jobId: 4 }, mode: 'run' }), expected);
  });

  it('are refused in the words of the contract', () => {
    const refused = (work: () => unknown, message: string) => assert.throws(work, { kind: 'bad_request', message });
    refused(() => readEnvelope(spec(), {}), "Specify 'config' or 'configData'.");
    refused(() => readEnvelope(spec(), { config: {} }), "Parameter 'config' must be a string or a number");
    refused(() => readEnvelope(spec(), { configData: {}, row: 1 }), "Specify 'config' together with 'row'.");
    refused(
      () => readEnvelope({ ...spec(), configParameter: undefined } as never, { config: 1 }),
      "Component 'test.one' has no saved configurations; use 'configData'.",
    );
    refused(
      () => checkParameters(spec(), { jobId: 4, x: 1 }),
      "Parameter 'x' is not allowed. Allowed params are jobId, pass, streams",
    );
    refused(() => checkParameters(spec(), {}), "Parameter 'jobId' is required");
    refused(() => checkParameters(spec(), { jobId: 'four' }), "Parameter 'jobId' must be integer");
    refused(() => checkParameters(spec(), { jobId: 4, streams: [1] }), "Parameter 'streams.0' must be string");
  });

  it('are shown with a mask over every secret', () => {
    const { masked, hasSecrets } = maskParameters(
      { jobId: 4, pass: 'p', list: [{ '#key': { a: 1 }, b: 2 }], '#empty': '' },
      spec().schema,
    );
    assert.ok(hasSecrets);
    assert.deepEqual(masked, { jobId: 4, pass: '********', list: [{ '#key': '********', b: 2 }], '#empty': '' });
    assert.equal(createMasker(['secret', 'secret text']).text('a secret text, a secret'), 'a ********, a ********');
  });
});
