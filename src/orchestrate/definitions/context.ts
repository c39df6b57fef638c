import { Failure } from '../../errors.ts';
import type { AuditEntry } from '../../access/index.ts';
import type { Transaction } from '../../store/index.ts';
import type { OrchestrateRooms } from '../rooms.ts';
import type { Scope } from '../types.ts';
import type { ParameterKeeper } from './parameters.ts';
import { lockOrchestration, type StoredOrchestration } from './tables.ts';

/** What the parts of the definitions share. */
export type DefinitionContext = OrchestrateRooms & { readonly parameters: ParameterKeeper };

export function notFound(id: number): Failure {
  return new Failure('not_found', `Orchestration ${id} not found`);
}

/** Locked until the transaction ends: changes of one orchestration come one after another. */
export async function lockForChange(tx: Transaction, scope: Scope, id: number): Promise<StoredOrchestration> {
  const row = await lockOrchestration(tx, { id, project: scope.project }, 'update');
  if (row === undefined) throw notFound(id);
  return row;
}

/** `action` is a verb and a noun, e.g. `update orchestration`. */
export function entryOf(scope: Scope, action: string, id: number): AuditEntry {
  return { ...scope.actor, project: scope.project, action, subject: String(id) };
}

/** Who is written into rows. */
export function nameOf(scope: Scope): string {
  return scope.actor.principal?.username ?? `token ${scope.caller.token.id}`;
}
