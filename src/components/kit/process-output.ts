import { StringDecoder } from 'node:string_decoder';

type Pipe = 'stdout' | 'stderr';

export interface Output {
  add(pipe: Pipe, bytes: Buffer): void;
  /** Ends the last lines; answers what is kept. */
  end(): string;
}

const MOST_BYTES = 1024 * 1024;
const LONGEST_LINE = 8192;

/**
 * Cuts the output of a program into lines and tells each, until they make 1 MiB: then one line says that the rest is left
 * out. Lines are kept as well, so that the result can show them.
 */
export function createOutput(tell: (line: string) => void): Output {
  const pipes = { stdout: createLines(take), stderr: createLines(take) };
  const kept: string[] = [];
  let bytes = 0;
  let isFull = false;

  function take(line: string): void {
    if (isFull) return;
    bytes += Buffer.byteLength(line) + 1;
    isFull = bytes > MOST_BYTES;
    const shown = isFull ? 'The output is longer than 1 MiB; the rest is left out.' : line;
    kept.push(shown);
    tell(shown);
  }
  return {
    add: (pipe, data) => pipes[pipe].add(data),
    end() {
      pipes.stdout.end();
      pipes.stderr.end();
      return kept.map((line) => `${line}\n`).join('');
    },
  };
}

interface Lines {
  add(bytes: Buffer): void;
  end(): void;
}

function createLines(take: (line: string) => void): Lines {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const cut = (text: string): void => {
    const lines = (rest + text).split(/\r?\n|\r/);
    rest = lines.pop() ?? '';
    for (const line of lines) give(line);
    while (rest.length > LONGEST_LINE) {
      give(rest.slice(0, LONGEST_LINE));
      rest = rest.slice(LONGEST_LINE);
    }
  };
  const give = (line: string): void => {
    // NUL cannot be stored in an event, and escape sequences must not reach a terminal.
    // oxlint-disable-next-line no-control-regex
    take(line.replaceAll(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '\ufffd'));
  };
  return {
    add: (bytes) => cut(decoder.write(bytes)),
    end() {
      cut(decoder.end());
      if (rest !== '') give(rest);
      rest = '';
    },
  };
}
