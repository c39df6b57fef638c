/** A facet with who made it and which schema it follows, e.g. `1-1-1/SchemaDatasetFacet`. */
export function facet<T extends object>(producer: string, schema: string, content: T): T & object {
  const name = schema.split('/')[1];
  const url = `https://openlineage.io/spec/facets/${schema}.json#/$defs/${name}`;
  return { _producer: producer, _schemaURL: url, ...content };
}
