import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ownLastWords } from './runtime.ts';

const REFUSED = 'docker: Error response from daemon: exec: "no-such-program": executable file not found in $PATH.';
const WORDS = 'exec: "no-such-program": executable file not found in $PATH.';

describe('the last words of a runtime', () => {
  it('are told without what all of them begin with', () => {
    assert.equal(ownLastWords(`${REFUSED}\n`), WORDS);
    assert.equal(ownLastWords('Error: crun: no such file\n'), 'crun: no such file');
  });

  it('are found before the advice to read its help, and before lines of its log', () => {
    const log = 'time="2026-11-21T14:24:05Z" level=error msg="error waiting for container: context canceled"';
    assert.equal(ownLastWords(`${REFUSED}\n${log}\n`), WORDS);
    assert.equal(ownLastWords(`hello\n${REFUSED}\n\nRun 'docker run --help' for more information\n`), WORDS);
  });

  it('are none when the program in the container spoke last', () => {
    assert.equal(ownLastWords(`${REFUSED}\nsh: nope: not found\n`), undefined);
    assert.equal(ownLastWords(''), undefined);
  });
});
