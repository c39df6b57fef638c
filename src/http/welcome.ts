import { createHash } from 'node:crypto';
import type { Face } from './types.ts';

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2733; --soft: #54626f; --paper: #fbfaf7; --line: #dcd8cf; --mark: #0b6e6e }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #a3afba; --paper: #14191f; --line: #2e3740; --mark: #5fc9c3 }
}
* { box-sizing: border-box }
body { margin: 0; padding: 3rem 1.25rem; background: var(--paper); color: var(--ink); font: 1rem/1.6 system-ui, sans-serif }
main { max-width: 44rem; margin: 0 auto }
h1 { margin: 0 0 .25rem; font-size: 1.9rem; letter-spacing: -.01em }
h2 { margin: 2.25rem 0 .5rem; font-size: 1.05rem }
p { margin: .4rem 0; color: var(--soft) }
a { color: var(--mark); text-underline-offset: .2em }
a:focus-visible, pre:focus-visible { outline: 3px solid var(--mark); outline-offset: 3px; border-radius: 2px }
pre { margin: .6rem 0; padding: 1rem; overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; font: .875rem/1.55 ui-monospace, monospace }
li { margin: .3rem 0 } ul { padding-left: 1.2rem }
`;

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Lets the page use its own style and nothing else. */
export const WELCOME_POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;

/** The page at `/`: what runs here and how to make the first call. It shows nothing that a stranger may not know. */
export function welcomePage(faces: readonly Face[]): string {
  const documents = faces.map(
    ({ name, title }) => `<li><a href="/openapi/${name}.json">${escape(title)}</a> (OpenAPI 3.1)</li>`,
  );
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Penstock</title><style>${STYLE}</style></head>
<body><main>
<h1>Penstock is running</h1>
<p>This server speaks HTTP APIs; the console comes in a later version.</p>
<h2>APIs</h2>
<ul>${documents.join('')}<li><a href="/health">Health</a>, <a href="/ready">readiness</a>, <a href="/metrics">metrics</a></li></ul>
<h2>First call: sign in</h2>
<p>Name and password were printed when the server started for the first time.</p>
<pre tabindex="0" aria-label="Command that signs in">curl -s -X POST "$URL/login" -H 'content-type: application/json' \\
  -d '{"username":"admin","password":"…"}'</pre>
<p>The answer holds a token. Send it with every other call:</p>
<pre tabindex="0" aria-label="Command that lists jobs">curl -s "$URL/api/v1/project/olake/jobs" -H "authorization: Bearer $TOKEN"</pre>
<h2>Next</h2>
<p>Create a source and a destination, test them, discover streams, create a job, sync. <code>npm run demo</code> does all of
this on real data.</p>
<p>Orchestrations run tasks together, by hand or on a schedule; <code>docs/orchestration.md</code> begins with the first one.
Their calls carry a storage token, and this lists them:</p>
<pre tabindex="0" aria-label="Command that lists orchestrations">curl -s "$URL/orchestrations" -H "X-StorageApi-Token: $T"</pre>
</main></body></html>
`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
