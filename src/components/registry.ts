import { readdir } from 'node:fs/promises';
import type { ComponentPorts, ComponentSpec, CreateComponent } from './kit/index.ts';

/** Every component of this installation, ascending by id: each folder beside `kit` is one. */
export async function loadComponents(ports: ComponentPorts): Promise<readonly ComponentSpec[]> {
  const root = new URL('.', import.meta.url);
  const entries = await readdir(root, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== 'kit').map(({ name }) => name);
  const modules = await Promise.all(folders.map((folder) => import(new URL(`${folder}/index.ts`, root).href)));
  const specs = modules.map((module: { component: CreateComponent }) => module.component(ports));
  return specs.toSorted((one, other) => (one.id < other.id ? -1 : 1));
}
