import { describe } from 'node:test';
import { commitTests, stageTests } from './destination-commits.ts';
import { crashTests } from './destination-crashes.ts';
import { ownershipTests } from './destination-ownership.ts';
import type { ConformanceOptions } from './destination-place.ts';
import { sharingTests } from './destination-sharing.ts';
import { partitionTests, tableTests } from './destination-tables.ts';

export type { ConformanceOptions, DestinationPlace, OpenPlace } from './destination-place.ts';

/** Registers the tests that every destination must pass. */
export function destinationConformance(name: string, options: ConformanceOptions): void {
  describe(`the ${name} destination keeps the rules of every destination`, () => {
    commitTests(options);
    stageTests(options);
    tableTests(options);
    partitionTests(options);
    ownershipTests(options);
    sharingTests(options);
    crashTests(options);
  });
}
