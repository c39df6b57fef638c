import type { Attempt } from '../../engine/index.ts';

/** The parameters of a component run as JSON, secrets in clear. */
export type Parameters = Readonly<Record<string, unknown>>;

/** One run of a component, as the component sees it. */
export interface ComponentCall {
  readonly parameters: Parameters;
  /** Its attempt: `signal` aborts on cancel and shutdown, `log` writes its events, `remember` survives a crash. */
  readonly attempt: Attempt;
  readonly project: string;
  /** Dotted numbers of the run, for `X-KBC-RunId`. */
  readonly path: string;
  /** Id of the token under whose rights it runs. */
  readonly tokenId: number;
}

/** A component that this server executes itself: one folder each, found by the registry. */
export interface ComponentSpec {
  /** Unique, e.g. `http.call`. */
  readonly id: string;
  readonly name: string;
  /** One or two sentences for people who choose a component. */
  readonly description: string;
  /**
   * JSON Schema of the parameters, an object without further properties, with `title` and `description` for forms; it is
   * checked before a run is accepted. Values under keys that begin with `#`, and those with `format: "password"`, are secret.
   */
  readonly schema: Readonly<Record<string, unknown>>;
  /** The parameter that `config` of a start stands for; without it the component has no saved configurations. */
  readonly configParameter?: string;
  /** It only waits for other work: takes no worker slot. */
  readonly waits?: true;
  /** How long it may take to end after its signal aborted, in milliseconds. */
  readonly graceMs?: number;
  /** Why it is switched off here; null when it may run. */
  readonly isOffBecause: string | null;
  /** Runs with the same key go one after another. */
  lockKey?(parameters: Parameters): string | undefined;
  /** What the schema cannot say; throws `bad_request` naming the parameter. */
  check?(parameters: Parameters): void;
  /** Does it and answers its result (JSON). Throws a `Failure`; `internal` ones are shown to nobody but the log, `component_failed` ones are told as they are. */
  execute(call: ComponentCall): Promise<unknown>;
}
