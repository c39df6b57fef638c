/** What goes wrong with a request. */
export type S3Effect =
  /** Answers this instead; nothing is done. */
  | { readonly status: number; readonly code: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection breaks before anything is done. */
  | 'reset'
  /** It is done, and then the connection breaks. */
  | 'lost answer'
  /** Half of the answer's body, then the connection breaks. */
  | 'truncate'
  /** Answered this much later. */
  | { readonly delayMs: number };

export interface S3Fault {
  /** Any when absent. */
  readonly bucket?: string;
  /** Name of the call, e.g. `PutObject`; any when absent. */
  readonly operation?: string;
  readonly key?: RegExp;
  /** Requests that pass before the fault. */
  readonly after?: number;
  /** Requests that it meets; all when absent. */
  readonly count?: number;
  readonly effect: S3Effect;
  /** Once it met a request, it meets every later one to the same bucket: the store is out of order. */
  readonly lasting?: boolean;
}

export interface S3Request {
  readonly operation: string;
  readonly bucket: string;
  readonly key: string;
  readonly query: URLSearchParams;
}

/** The faults of a server, to be added while it runs. */
export interface S3Faults {
  add(fault: S3Fault): void;
  /** Forgets all faults, or those of one bucket. */
  clear(bucket?: string): void;
  /** The effect that meets this request, counted. */
  meet(request: S3Request): S3Effect | undefined;
}

export function createFaults(): S3Faults {
  let faults: { readonly fault: S3Fault; seen: number }[] = [];
  const broken = new Map<string, S3Effect>();
  return {
    add: (fault) => void faults.push({ fault, seen: 0 }),
    clear(bucket) {
      faults = faults.filter(({ fault }) => bucket !== undefined && fault.bucket !== bucket);
      if (bucket === undefined) broken.clear();
      else broken.delete(bucket);
    },
    meet({ bucket, operation, key }) {
      const lasting = broken.get(bucket);
      if (lasting !== undefined) return lasting;
      for (const one of faults) {
        const { fault } = one;
        if (fault.bucket !== undefined && fault.bucket !== bucket) continue;
        if (fault.operation !== undefined && fault.operation !== operation) continue;
        if (fault.key !== undefined && !fault.key.test(key)) continue;
        const place = one.seen++ - (fault.after ?? 0);
        if (place < 0 || place >= (fault.count ?? Infinity)) continue;
        if (fault.lasting === true) broken.set(bucket, fault.effect);
        return fault.effect;
      }
      return undefined;
    },
  };
}

/** Bucket, key and name of the call that a request makes, as AWS documents them. */
export function readRequest(method: string, url: string, copies: boolean): S3Request {
  const { pathname, searchParams: query } = new URL(url, 'http://s3');
  const [, bucket = '', ...rest] = pathname.split('/');
  const key = rest.map(decodeURIComponent).join('/');
  return { bucket, key, query, operation: nameOf(method, { key, query, copies }) };
}

function nameOf(
  method: string,
  { key, query, copies }: { key: string; query: URLSearchParams; copies: boolean },
): string {
  if (key === '') {
    if (query.has('delete')) return 'DeleteObjects';
    if (query.has('uploads')) return 'ListMultipartUploads';
    return query.has('list-type') ? 'ListObjectsV2' : `${method} bucket`;
  }
  if (method === 'POST') return query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload';
  if (method === 'DELETE') return query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject';
  if (method === 'PUT' && query.has('partNumber')) return copies ? 'UploadPartCopy' : 'UploadPart';
  if (method === 'PUT') return copies ? 'CopyObject' : 'PutObject';
  return method === 'HEAD' ? 'HeadObject' : 'GetObject';
}
