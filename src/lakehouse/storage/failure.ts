import { Failure } from '../../errors.ts';

const sentences: Readonly<Record<string, string>> = {
  ENOSPC: 'has no space left',
  EDQUOT: 'has used up its quota',
  EACCES: 'may not be used by the user that Penstock runs as',
  EPERM: 'may not be used by the user that Penstock runs as',
  EROFS: 'is read-only',
  EFBIG: 'takes no larger files: the file system or a limit of the process forbids it',
  ENOTDIR: 'is not a folder',
  EISDIR: 'holds a folder where a file is expected',
  EMFILE: 'cannot be used now: too many files are open',
  ENFILE: 'cannot be used now: too many files are open',
  EIO: 'cannot be read or written: the device reports an error',
};

/** What a file operation threw, as a failure that names the folder. A `Failure` passes unchanged. */
export function storageFailure(thrown: unknown, folder: string): Failure {
  if (thrown instanceof Failure) return thrown;
  const { code = 'unknown error' } = thrown as NodeJS.ErrnoException;
  const sentence = sentences[code] ?? `failed (${code})`;
  return new Failure('storage_failed', `The folder "${folder}" ${sentence}.`, { cause: thrown });
}
