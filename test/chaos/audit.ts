import type { JobStatus } from '../../src/domain/vocabulary.ts';
import { scriptOf } from '../support/scripted-engine.mjs';
import { completions, lostWorkers, type StoredEvent, staleEvents, terminalCount } from './chains.ts';
import type { Received } from './cursor-client.ts';
import type { JobKind } from './plan.ts';
import type { JobState, StoredSegment } from './run-database.ts';
import type { SubmittedJob } from './submitter.ts';

/** Something that must never happen, and the job in which it happened. */
export interface Breach {
  readonly check: Check;
  readonly jobId: string | null;
  readonly what: string;
}

export const CHECKS = [
  'lost',
  'completed twice',
  'ended twice',
  'events of stale attempts accepted',
  'outcomes that contradict the script',
  'transcripts that differ from the script',
  'cursor clients with a gap or a repeat',
  'messages left below the ack floor',
  'events in quarantine',
  'surprises',
] as const;
type Check = (typeof CHECKS)[number];

export interface Evidence {
  readonly submitted: readonly SubmittedJob[];
  readonly plannedCount: number;
  readonly states: readonly JobState[];
  readonly segments: ReadonlyMap<string, readonly StoredSegment[]>;
  readonly chains: ReadonlyMap<string, readonly StoredEvent[]>;
  readonly received: readonly Received[];
}

const FINAL: readonly JobStatus[] = ['COMPLETED', 'FAILED', 'CANCELED'];
/** The same as in the server's policy. */
const MAX_LOST = 3;

/** Compares what happened with the plan and the promises. */
export function audit(evidence: Evidence): readonly Breach[] {
  const { submitted, plannedCount, states } = evidence;
  const breaches: Breach[] = [];
  if (submitted.length !== plannedCount) {
    const what = `${plannedCount} jobs were planned and ${submitted.length} accepted`;
    breaches.push({ check: 'lost', jobId: null, what });
  }
  if (states.length !== submitted.length) {
    const what = `${submitted.length} jobs were accepted and ${states.length} are stored`;
    breaches.push({ check: 'lost', jobId: null, what });
  }
  const byId = new Map(states.map((state) => [state.id, state]));
  for (const job of submitted) {
    const state = byId.get(job.id);
    if (state === undefined) breaches.push({ check: 'lost', jobId: job.id, what: 'no row' });
    else breaches.push(...auditJob(job, state, evidence));
  }
  for (const client of evidence.received) breaches.push(...auditClient(client, byId, evidence));
  return breaches;
}

function auditJob(job: SubmittedJob, state: JobState, evidence: Evidence): readonly Breach[] {
  const breaches: Breach[] = [];
  const report = (check: Check, what: string): void => void breaches.push({ check, jobId: job.id, what });
  const chain = evidence.chains.get(job.id) ?? [];
  if (!FINAL.includes(state.status)) report('lost', `is still ${state.status}`);
  if (completions(chain) > 1) report('completed twice', `${completions(chain)} times`);
  if (terminalCount(chain) > 1) report('ended twice', 'the chain has more than one ending');
  for (const fault of staleEvents(chain)) report('events of stale attempts accepted', fault);
  const contradiction = contradictionOf(job, state, chain);
  if (contradiction !== null) report('outcomes that contradict the script', contradiction);
  const difference = differenceOf(job, state, evidence.segments.get(job.id) ?? [], chain);
  if (difference !== null) report('transcripts that differ from the script', difference);
  return breaches;
}

/** Why this ending is wrong; null when it is allowed. */
function contradictionOf(
  { plan, cancel }: SubmittedJob,
  state: JobState,
  chain: readonly StoredEvent[],
): string | null {
  const { status, failure } = state;
  if ((status === 'COMPLETED') !== (completions(chain) === 1)) {
    return `is ${status}, and its chain has ${completions(chain)} completions`;
  }
  if (cancel === 'CANCELED' && status !== 'CANCELED')
    return `cancelJob answered CANCELED and the job is ${status}`;
  if (status === 'CANCELED')
    return cancel === null || cancel === 'ALREADY_FINAL' ? 'no cancel was requested' : null;
  if (status !== 'FAILED') return mayComplete(plan.kind) ? null : `a ${plan.kind} job completed`;
  const isPoison = failure?.kind === 'WORKER_LOST' && lostWorkers(chain) >= MAX_LOST;
  if (isPoison) return state.deadLetteredAt === null ? 'is poison, but not a dead letter' : null;
  if (!mayFail(plan.kind)) return `failed with ${failure?.kind} ${failure?.code}`;
  const shouldBeDeadLetter = plan.kind === 'neverWorks';
  return (state.deadLetteredAt !== null) === shouldBeDeadLetter
    ? null
    : `dead letter: ${state.deadLetteredAt !== null}`;
}

const mayFail = (kind: JobKind): boolean => kind === 'refused' || kind === 'neverWorks';
const mayComplete = (kind: JobKind): boolean => !mayFail(kind) && kind !== 'poison';

/** A finished transcript equals the script, an unfinished one is its beginning, and both match the chain. */
function differenceOf(
  { plan }: SubmittedJob,
  state: JobState,
  stored: readonly StoredSegment[],
  chain: readonly StoredEvent[],
): string | null {
  const script = scriptOf(plan.url)?.segments ?? [];
  if (state.status === 'COMPLETED' && stored.length !== script.length) {
    return `has ${stored.length} of ${script.length} segments`;
  }
  if (stored.length !== state.segmentCount)
    return `segmentCount is ${state.segmentCount}, but ${stored.length} are stored`;
  for (const [position, segment] of stored.entries()) {
    const wanted = script[position];
    const same =
      wanted !== undefined &&
      segment.index === position &&
      segment.text === wanted.text &&
      segment.startMs === wanted.startMs &&
      segment.endMs === wanted.endMs;
    if (!same) return `segment ${position} is ${JSON.stringify(segment)}`;
  }
  const reported = chain.reduce(
    (sum, { event }) => sum + (event.type === 'segments' ? event.segments.length : 0),
    0,
  );
  return reported === stored.length ? null : `${reported} segments were reported and ${stored.length} stored`;
}

function auditClient(
  { jobId, faults, texts, status, sessions }: Received,
  states: ReadonlyMap<string, JobState>,
  { segments }: Evidence,
): readonly Breach[] {
  const check = 'cursor clients with a gap or a repeat';
  const breaches: Breach[] = faults.map((what) => ({ check, jobId, what }));
  const report = (what: string): void => void breaches.push({ check, jobId, what });
  const state = states.get(jobId);
  if (status !== state?.status) report(`saw ${status} at last, after ${sessions} sessions`);
  const stored = segments.get(jobId) ?? [];
  if (texts.length !== stored.length) report(`saw ${texts.length} of ${stored.length} segments`);
  else if (texts.some((text, index) => text !== stored[index]?.text)) report('saw another text');
  return breaches;
}
