import { join } from 'node:path';
import { createIcebergFace } from '../../src/faces/iceberg/index.ts';
import { createKeboolaFace } from '../../src/faces/keboola/index.ts';
import { createOlakeFace } from '../../src/faces/olake/index.ts';
import { describeFace, type Face } from '../../src/http/index.ts';
import { version } from '../../src/version.ts';

/** Stands for the rooms of a face while its routes are only written down: it has everything, and nothing may be called. */
function absent<T>(name: string): T {
  const get = (_target: object, key: string | symbol): unknown => absent(`${name}.${String(key)}`);
  const apply = (): never => {
    throw new Error(`${name} was called while the routes were registered`);
  };
  return new Proxy(() => undefined, { get, apply }) as T;
}

function describedFaces(): readonly Face[] {
  return [
    createOlakeFace({
      sync: absent('sync'),
      access: absent('access'),
      config: absent('config'),
      world: absent('world'),
      version,
    }),
    createIcebergFace({ warehouse: absent('warehouse'), access: absent('access'), config: absent('config'), version }),
    createKeboolaFace({
      orchestrate: absent('orchestrate'),
      notify: absent('notify'),
      access: absent('access'),
      config: absent('config'),
      world: absent('world'),
      version,
    }),
  ];
}

/** The committed documents of all faces, by path. Needs no database. */
export async function generateOpenapi(root: string): Promise<Map<string, string>> {
  const documents = new Map<string, string>();
  for (const face of describedFaces()) {
    documents.set(join(root, 'openapi', `${face.name}.json`), `${JSON.stringify(await describeFace(face), null, 2)}\n`);
  }
  return documents;
}
