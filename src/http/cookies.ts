/** Each value costs a question to the database: more than a confused browser sends is an attack. */
const MOST_VALUES = 5;

/** The first five values that a cookie header holds under a name: a client may send several, the wrong one first. */
export function readCookies(header: string | undefined, name: string): string[] {
  if (header === undefined) return [];
  const values: string[] = [];
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) values.push(pair.slice(at + 1).trim());
    if (values.length === MOST_VALUES) break;
  }
  return values;
}

/** The `set-cookie` text of a session cookie; an age of 0 removes it. */
export function writeCookie(cookie: {
  readonly name: string;
  readonly value: string;
  readonly maxAgeSeconds: number;
  readonly secure: boolean;
}): string {
  const { name, value, maxAgeSeconds, secure } = cookie;
  return `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;
}
