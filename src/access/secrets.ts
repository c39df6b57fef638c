import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { Failure } from '../errors.ts';
import type { World } from '../world.ts';
import type { Secrets } from './types.ts';

// A sealed value is `pen1.<key id>.<wrapped data key>.<ciphertext>`; the last two are base64url of
// 12 bytes nonce, ciphertext, 16 bytes tag. Both are bound to the header and to the place of the value.
const FORMAT = 'pen1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** Names a server key without telling anything of it. */
export function keyIdOf(key: Buffer): string {
  return createHash('sha256').update('penstock server key\0').update(key).digest('base64url').slice(0, 12);
}

/** Envelope encryption under one 32-byte server key. */
export function createSecrets(key: Buffer, world: World): Secrets {
  const keyId = keyIdOf(key);
  return {
    seal(plaintext, place) {
      const bound = Buffer.from(`${FORMAT}.${keyId}\0${place}`);
      const dataKey = world.random(KEY_BYTES);
      const wrapped = encrypt({ key: key, bound, nonce: world.random(NONCE_BYTES) }, dataKey);
      const text = encrypt({ key: dataKey, bound, nonce: world.random(NONCE_BYTES) }, Buffer.from(plaintext));
      return `${FORMAT}.${keyId}.${wrapped.toString('base64url')}.${text.toString('base64url')}`;
    },
    open(sealed, place) {
      const [format, sealedBy, wrapped, text, more] = sealed.split('.');
      if (format !== FORMAT || !sealedBy || !wrapped || !text || more !== undefined) throw damaged(place);
      if (sealedBy !== keyId) throw foreignKey(sealedBy, keyId);
      const bound = Buffer.from(`${FORMAT}.${keyId}\0${place}`);
      try {
        const dataKey = decrypt({ key, bound }, Buffer.from(wrapped, 'base64url'));
        return decrypt({ key: dataKey, bound }, Buffer.from(text, 'base64url')).toString();
      } catch (error) {
        throw damaged(place, error);
      }
    },
  };
}

/** The failure of a server that holds another key than the one the secrets were sealed with. */
export function foreignKey(sealedBy: string, ours: string): Failure {
  return new Failure(
    'configuration_invalid',
    `the secrets in this database are sealed with server key ${sealedBy}, but this server has key ${ours}`,
    {
      advice:
        'Give every machine the same key: copy secret.key from the data folder of the first machine into the data ' +
        'folder of this one, or set PENSTOCK_SECRET_KEY to its text on all of them.',
    },
  );
}

function damaged(place: string, cause?: unknown): Failure {
  return new Failure('internal', `the secret of ${place} was changed or moved and cannot be opened`, { cause });
}

interface Sealing {
  readonly key: Buffer;
  readonly bound: Buffer;
}

function encrypt({ key, bound, nonce }: Sealing & { readonly nonce: Buffer }, plain: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(bound);
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

function decrypt({ key, bound }: Sealing, box: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(bound);
  decipher.setAuthTag(box.subarray(-TAG_BYTES));
  return Buffer.concat([decipher.update(box.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
}
