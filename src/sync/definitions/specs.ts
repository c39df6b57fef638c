import { Failure } from '../../errors.ts';
import { connectorOf } from './checks.ts';
import type { ConnectionKind, DefinitionRooms } from './types.ts';

/** Catalog words that clients know; those that a destination lists itself come first. */
const CATALOGS = 'builtin jdbc rest lakekeeper nessie polaris unity s3tables glue biglake hive'.split(' ');

export interface SpecView {
  /** The catalog that the schema is for; empty when the connector has none. */
  readonly catalog: string;
  readonly jsonschema: Readonly<Record<string, unknown>>;
  /** Form hints as JSON text. */
  readonly uischema: string;
}

export interface Specs {
  /** What a connector asks to be configured with. `bad_request` for an unknown type or catalog. */
  spec(kind: ConnectionKind, type: string, catalog?: string): SpecView;
  /** Newest first, never empty. */
  versions(kind: ConnectionKind, type: string): readonly string[];
}

export function createSpecs(rooms: Pick<DefinitionRooms, 'connectors'>): Specs {
  return {
    spec(kind, type, catalog) {
      const connector = connectorOf(rooms.connectors, kind, type);
      const known = connector.kind === 'destination' ? connector.catalogs : [];
      const word = (catalog ?? '').trim().toLowerCase();
      const words = [...new Set([...known, ...CATALOGS])];
      if (word !== '' && !words.includes(word)) {
        throw new Failure('bad_request', `catalog is not known; known: ${words.join(', ')}`);
      }
      const chosen = word || (known.length > 0 ? 'builtin' : '');
      const { jsonschema, uischema } =
        connector.kind === 'destination' && known.includes(chosen) ? connector.spec(chosen) : connector.spec();
      return { catalog: chosen, jsonschema, uischema: JSON.stringify(uischema) };
    },
    versions(kind, type) {
      const { version } = connectorOf(rooms.connectors, kind, type);
      return [version.startsWith('v') ? version : `v${version}`];
    },
  };
}
