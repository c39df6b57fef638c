export { appendDigests } from './digests.ts';
