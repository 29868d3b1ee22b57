import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventId } from '../src/contract/codec.ts';
import {
  ENDING_EVENTS,
  EventMessage,
  PROTOCOL_VERSION,
  ProgressMessage,
  SegmentMessage,
  TaskMessage,
} from '../src/contract/messages.ts';
import {
  announcementSubject,
  controlSubject,
  eventSubject,
  laneConsumer,
  laneSubject,
  liveControlSubject,
  liveEventSubject,
  liveProgressSubject,
  progressSubject,
  STREAMS,
  wakeSubject,
} from '../src/contract/subjects.ts';
import { ENGINES, JOB_PRIORITIES, queueOf } from '../src/domain/vocabulary.ts';
import { WORKER_TIMING } from '../worker/timing.ts';

const document = readFileSync(new URL('../docs/protocol.md', import.meta.url), 'utf8');
const flat = document.replaceAll(/\s+/g, ' ');
const migration = readFileSync(
  new URL('../migrations/1763769600000-create-tables.ts', import.meta.url),
  'utf8',
);

/** The rows of the table under a heading, each as its cells. */
function tableUnder(heading: string): readonly (readonly string[])[] {
  const section = document.split(`\n${heading}\n`)[1]?.split('\n#')[0] ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
const codesIn = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code]) => code ?? '');

interface JsonSchema {
  readonly type?: string;
  readonly const?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
}
const MESSAGES = { TaskMessage, EventMessage, ProgressMessage, SegmentMessage };
const schemas = Object.fromEntries(
  Object.entries(MESSAGES).map(([name, schema]) => [
    name,
    z.toJSONSchema(schema, { unrepresentable: 'any' }) as JsonSchema,
  ]),
);

/** The integers in a message, by their paths. */
function integersOf(schema: JsonSchema, path: string): readonly string[] {
  const variants = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((variant) =>
    integersOf(variant, path),
  );
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    integersOf(field, `${path}.${name}`),
  );
  return [...variants, ...fields, ...(schema.type === 'integer' ? [path] : [])];
}
const integers = new Set(Object.entries(schemas).flatMap(([name, schema]) => integersOf(schema, name)));

const columns = new Set(
  [...migration.matchAll(/CREATE TABLE (\w+) \(\n([\s\S]*?)\n {2}\)/g)].flatMap(([, table, body = '']) =>
    [...body.matchAll(/^ {4}([a-z_]+) /gm)].map(([, column]) => `${table}.${column}`),
  ),
);

describe('the counters', () => {
  const rows = tableUnder('## Counters');
  const fields = rows.flatMap(([, cell = '']) => codesIn(cell));

  it('are all there, with who raises each and what it is compared with', () => {
    expect(rows.map(([name]) => name)).toEqual([
      ...[
        'attempt',
        'ordinal',
        'lostRuns',
        'generation',
        'index',
        'publication',
        'sequence',
        'epoch',
        'revision',
      ],
    ]);
    for (const row of rows) expect(row.filter((cell) => cell.length > 0)).toHaveLength(4);
  });

  it.each(fields)('%s exists', (field) => {
    expect(integers.has(field) || columns.has(field)).toBe(true);
  });

  it('include every number of the messages that is no time, size or measured property', () => {
    const documented = new Set(fields.map((field) => field.split('.').at(-1)));
    const isMeasure = (name: string): boolean =>
      /Ms$|Bytes$|^at$|^sampleRate$|^channels$|^segmentCount$|^maxLostRuns$/.test(name);
    const names = [...integers]
      .map((path) => path.split('.').at(-1) ?? '')
      .filter((name) => !isMeasure(name));

    expect(names.length).toBeGreaterThan(8);
    expect(names.filter((name) => !documented.has(name))).toEqual([]);
  });
});

describe('streams and subjects', () => {
  it('are those of the code', () => {
    const rows = tableUnder('## Streams and subjects').map(([stream = '', subject = '']) => [
      codesIn(stream)[0],
      codesIn(subject)[0],
    ]);

    expect(rows).toEqual([
      [STREAMS.tasks, 'transcribe.tasks.<queue>.<priority>'],
      [STREAMS.events, eventSubject('<jobId>')],
      [STREAMS.progress, progressSubject('<jobId>')],
      [STREAMS.control, controlSubject('<jobId>')],
    ]);
    for (const engine of ENGINES) {
      const queue = queueOf(engine);
      expect(document).toContain(`\`${queue}\``);
      for (const priority of JOB_PRIORITIES) {
        expect(document).toContain(`\`${priority.toLowerCase()}\``);
        const fill = (text: string) =>
          text.replace('<queue>', queue).replace('<priority>', priority.toLowerCase());
        expect(laneSubject(queue, priority)).toBe(fill('transcribe.tasks.<queue>.<priority>'));
        expect(laneConsumer(queue, priority)).toBe(fill('lane_<queue>_<priority>'));
        expect(wakeSubject(queue, priority)).toBe(fill('transcribe.wake.<queue>.<priority>'));
      }
      expect(announcementSubject(queue)).toBe(`transcribe.workers.${queue}`);
    }
    for (const live of [liveEventSubject, liveProgressSubject, liveControlSubject]) {
      expect(document).toContain(`\`${live('<jobId>')}\``);
    }
  });
});

describe('the page', () => {
  it('is about the version of the code', () => {
    expect(document).toContain(`\nVersion ${PROTOCOL_VERSION}. `);
  });

  it('explains every event', () => {
    const types = (schemas.EventMessage?.oneOf ?? schemas.EventMessage?.anyOf ?? []).map(
      ({ properties }) => properties?.type?.const,
    );

    expect(types).toEqual(expect.arrayContaining([...ENDING_EVENTS, 'started', 'audio', 'segments']));
    const section = flat.split('### 4. Write the chain')[1]?.split('### 5.')[0] ?? '';
    // Nobody writes an opaque event.
    expect(types.filter((type) => type !== 'opaque' && !section.includes(`\`${type}\``))).toEqual([]);
  });

  it('has the form of an event’s message id', () => {
    expect(document).toContain(
      `\`${eventId({ jobId: '<jobId>', runId: '<runId>', ordinal: 7 }).replace('7', '<ordinal>')}\``,
    );
  });

  it('has the worker’s times', () => {
    const { heartbeatMs, fenceMs, activityCheckMs, progressMs, livenessMs, announceMs, coalesceMs } =
      WORKER_TIMING;

    expect(flat).toContain(`Every ${heartbeatMs / 1000} s send \`+WPI\``);
    expect(flat).toContain(`to a heartbeat or an event for ${fenceMs / 1000} s, stop the run`);
    expect(flat).toContain(`wait up to ${activityCheckMs / 1000} s for a live event or progress`);
    expect(flat).toContain(`at most ${1000 / progressMs} messages a second`);
    expect(flat).toContain(`at least one every ${livenessMs / 1000} s`);
    expect(flat).toContain(`Announce the worker every ${announceMs / 1000} s`);
    expect(flat).toContain(`those of ${coalesceMs} ms share an event`);
  });

  it('is wrapped at 120 columns, but for its tables', () => {
    const long = document.split('\n').filter((line) => line.length > 120 && !line.startsWith('|'));

    expect(long).toEqual([]);
  });
});
