/** How the older rows of a unit's ids are removed; readers see at most one row of an id in every mode. */
export const deleteModes = ['equality', 'position', 'copy_on_write'] as const;
export type DeleteMode = (typeof deleteModes)[number];
