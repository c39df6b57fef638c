/**
 * The name of a file that was begun and not closed, as listings show it: `.name.<mark>.part`, beside its place. On a disk
 * it lies there under this name; on S3 the mark is that of the multipart upload.
 */
export function unfinishedPath(path: string, mark: string): string {
  const cut = path.lastIndexOf('/') + 1;
  return `${path.slice(0, cut)}.${path.slice(cut)}.${mark}.part`;
}

/** The place and the mark that such a name tells of; undefined for other names. */
export function readUnfinished(path: string): { readonly path: string; readonly mark: string } | undefined {
  const cut = path.lastIndexOf('/') + 1;
  const match = /^\.(.+)\.(w_[0-9A-Z]{25}|u_[\w%-]+)\.part$/.exec(path.slice(cut));
  return match ? { path: path.slice(0, cut) + match[1]!, mark: match[2]! } : undefined;
}

/** The path that a file has or, begun, would have had. */
export function finishedName(path: string): string {
  return readUnfinished(path)?.path ?? path;
}
