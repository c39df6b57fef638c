/**
 * Tells the story of the conformance suite in a process of its own, which dies at a stopping point. Arguments: the
 * module of the place, its folder, the point (`name:n`), and what to do: `story` or `drop`.
 */
import { createWorld } from '../../../world.ts';
import { loadPlace } from './destination-place.ts';
import { conformanceTable } from './destination-rows.ts';
import { tellStory } from './destination-story.ts';

const [module = '', folder = '', stopAt = '', task = 'story'] = process.argv.slice(2);
const place = await loadPlace(module, folder);
const session = await place.open({ world: createWorld({ stopAt }), guard: async () => {} });
if (task === 'drop') await session.dropTable(conformanceTable().name);
else await tellStory(session);
await session.close();
await place.close();
