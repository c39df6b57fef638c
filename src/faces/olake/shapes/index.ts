export { answersOf, type Failing } from './answers.ts';
export { config, ref } from './parts.ts';
export { AllReleases, Deleted, DeletedUser, Maintenance, SignedUp, Telemetry, Unique, WhoAmI } from './data.ts';
