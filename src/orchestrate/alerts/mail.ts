import { escapeHtml } from './plain.ts';
import type { Facts } from './types.ts';
import { headingOf, linesOf, nameOfTask, subjectOf } from './words.ts';

/** What is told, in the forms of a mail. */
export interface Told {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const WIDTH = 20;

/** Writes the mail of an alert. Nothing of it is fetched from anywhere when it is read. */
export function writeMail(facts: Facts): Told {
  const subject = subjectOf(facts);
  return { subject, text: textOf(facts, subject), html: htmlOf(facts, subject) };
}

function textOf(facts: Facts, subject: string): string {
  const lines = linesOf(facts).map(([name, value]) => `${`${name}:`.padEnd(WIDTH)}${value}`);
  const tasks = facts.tasks.map((task) => `- ${nameOfTask(task)}${task.message === '' ? '' : `: ${task.message}`}`);
  return [
    subject,
    '',
    ...lines,
    ...(facts.url === null ? [] : ['', facts.url]),
    ...(tasks.length === 0 ? [] : ['', `${headingOf(facts)}:`, ...tasks]),
    '',
  ].join('\n');
}

/** Names and sentences of others stand in elements of their own direction: they turn nothing around them. */
function htmlOf(facts: Facts, subject: string): string {
  const rows = linesOf(facts).map(
    ([name, value]) =>
      `<tr><th align="left" valign="top">${escapeHtml(name)}</th><td dir="auto">${escapeHtml(value)}</td></tr>`,
  );
  const items = facts.tasks.map(
    (task) => `<li><bdi>${escapeHtml(nameOfTask(task))}</bdi><br><bdi>${escapeHtml(task.message)}</bdi></li>`,
  );
  const { url } = facts;
  return [
    '<!doctype html>',
    '<html lang="en"><head><meta charset="utf-8"></head><body>',
    `<h1 style="font-size:1.2em" dir="auto">${escapeHtml(subject)}</h1>`,
    `<table cellpadding="4">\n${rows.join('\n')}\n</table>`,
    ...(url === null ? [] : [`<p><a href="${escapeHtml(url)}">Job ${facts.job.number}</a></p>`]),
    ...(items.length === 0 ? [] : [`<h2 style="font-size:1em">${escapeHtml(headingOf(facts))}</h2>`]),
    ...(items.length === 0 ? [] : [`<ul>\n${items.join('\n')}\n</ul>`]),
    '</body></html>',
    '',
  ].join('\n');
}
