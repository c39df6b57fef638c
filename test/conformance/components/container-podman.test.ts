import { proveContainers } from './container-suite.ts';

await proveContainers('podman');
