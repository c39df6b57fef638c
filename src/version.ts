import manifest from '../package.json' with { type: 'json' };

/** Of this product, as its package says. */
export const version: string = manifest.version;
