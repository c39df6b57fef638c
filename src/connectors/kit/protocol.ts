/** Shapes that cross the border of a connector; the message lines are those of the OLake contract, section 5.2. */

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
}

export interface ConnectorSpec {
  /** JSON Schema of the config; properties that hold secrets carry `format: password`. */
  readonly jsonschema: Readonly<Record<string, unknown>>;
  /** Form hints by property name; serialised to a string on the wire. */
  readonly uischema: Readonly<Record<string, unknown>>;
}
