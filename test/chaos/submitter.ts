import { setTimeout as delay } from 'node:timers/promises';
import type { ApiClient } from './api-client.ts';
import type { PlannedJob } from './plan.ts';

const SUBMIT = `mutation Submit($input: SubmitJobInput!) {
  submitJob(input: $input) {
    __typename
    ... on SubmitJobPayload { replayed job { id } }
    ... on UserError { code message }
  }
}`;
const CANCEL = `mutation Cancel($id: ID!) {
  cancelJob(input: { id: $id }) {
    __typename
    ... on CancelJobPayload { outcome }
    ... on UserError { code message }
  }
}`;

type CancelOutcome = 'CANCELED' | 'REQUESTED' | 'ALREADY_FINAL';

export interface SubmittedJob {
  readonly plan: PlannedJob;
  readonly id: string;
  /** Null when it was not canceled. */
  cancel: CancelOutcome | null;
}

export interface SubmitContext {
  readonly api: ApiClient;
  readonly startedAt: number;
  readonly onSurprise: (text: string) => void;
  readonly onSubmitted: (job: SubmittedJob) => void;
}

interface SubmitAnswer {
  readonly submitJob: {
    readonly __typename: string;
    readonly job?: { readonly id: string };
    readonly replayed?: boolean;
    readonly message?: string;
  };
}

/** Submits a job at its time, once or twice as planned, and cancels it if planned. */
export async function submit(plan: PlannedJob, context: SubmitContext): Promise<void> {
  const { api, startedAt, onSurprise, onSubmitted } = context;
  await delay(Math.max(0, startedAt + plan.submitAtMs - Date.now()));
  const input = inputOf(plan);
  const { submitJob } = await api.ask<SubmitAnswer>(SUBMIT, { input }, plan.server);
  const id = submitJob.job?.id;
  if (id === undefined) {
    onSurprise(`job ${plan.number} was refused: ${submitJob.__typename} ${submitJob.message}`);
    return;
  }
  const job: SubmittedJob = { plan, id, cancel: null };
  onSubmitted(job);
  await Promise.all([repeat(job, input, context), cancel(job, context)]);
}

function inputOf(plan: PlannedJob): object {
  const scheduledFor =
    plan.scheduledAfterMs === null ? null : new Date(Date.now() + plan.scheduledAfterMs).toISOString();
  return {
    audio: { url: plan.url },
    priority: plan.priority,
    idempotencyKey: plan.idempotencyKey,
    metadata: { number: plan.number },
    scheduledFor,
  };
}

async function repeat(job: SubmittedJob, input: object, { api, onSurprise }: SubmitContext): Promise<void> {
  const { repeatAfterMs, server, number } = job.plan;
  if (repeatAfterMs === null) return;
  await delay(repeatAfterMs);
  const { submitJob } = await api.ask<SubmitAnswer>(SUBMIT, { input }, server + 1);
  if (submitJob.job?.id !== job.id || submitJob.replayed !== true) {
    onSurprise(`job ${number} was submitted twice: ${job.id} and ${JSON.stringify(submitJob)}`);
  }
}

async function cancel(job: SubmittedJob, { api, onSurprise }: SubmitContext): Promise<void> {
  const { cancelAfterMs, server } = job.plan;
  if (cancelAfterMs === null) return;
  await delay(cancelAfterMs);
  const { cancelJob } = await api.ask<{
    readonly cancelJob: { readonly __typename: string; readonly outcome?: CancelOutcome };
  }>(CANCEL, { id: job.id }, server + 1);
  if (cancelJob.outcome === undefined)
    onSurprise(`job ${job.id} could not be canceled: ${cancelJob.__typename}`);
  else job.cancel = cancelJob.outcome;
}
