/** Channels of LISTEN/NOTIFY; the payload is a job id, a queue, or nothing. */
export const CHANNELS = {
  jobChanged: 'job_changed',
  jobsWaiting: 'jobs_waiting',
  jobsTimed: 'jobs_timed',
} as const;
