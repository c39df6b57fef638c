import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog } from './log.ts';

function watched(): { readonly lines: string[]; readonly output: NodeJS.WriteStream } {
  const lines: string[] = [];
  const output = {
    isTTY: true,
    write(line: string, done?: () => void) {
      lines.push(line);
      done?.();
      return true;
    },
  };
  return { lines, output: output as unknown as NodeJS.WriteStream };
}

test('text of others neither moves the cursor of a terminal nor forges a line', async () => {
  const { lines, output } = watched();
  const log = createLog({ logLevel: 'info' }, output);
  log.info({ said: '\u001b[31m\r' }, 'table \u001b[2J\u001b]0;owned\u0007 \rforged \u009b1A\n12:00:00 info  forged');
  log.error({ err: new Error('\u001b[1Aoops') }, 'failed');
  await new Promise((resolve) => setImmediate(resolve));
  const text = lines.join('');
  assert.doesNotMatch(text, /^12:00:00/m);
  // oxlint-disable-next-line no-control-regex -- control characters are exactly what must not be there
  assert.doesNotMatch(text, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
  assert.match(text, /\\x1b\[2J/);
  assert.match(text, /oops/);
});
