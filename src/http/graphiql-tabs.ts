const EXAMPLE_ID = 'job_paste-an-id-here';

function variables(value: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(value, null, 2);
}

const SUBMIT = `# 1. Submit a recording by URL, or create an upload first:
#    mutation { createUpload(input: { filename: "talk.mp3", contentType: "audio/mpeg", sizeBytes: 1234 }) {
#      ... on CreateUploadPayload { upload { id url } } } }
#    then: curl -T talk.mp3 "<url>" and submit { "audio": { "uploadId": "<id>" } }.
mutation Submit($input: SubmitJobInput!) {
  submitJob(input: $input) {
    ... on SubmitJobPayload {
      replayed
      job { id status queue queuePosition }
    }
    ... on UserError { code message path }
  }
}
`;

const WATCH = `# 2. Watch it: the current state, then every change until it is final.
subscription Watch($id: ID!) {
  jobProgress(id: $id) {
    type
    cursor
    newSegments { startMs endMs text }
    job {
      status
      progress { stage fraction processedSeconds totalSeconds etaSeconds }
      failure { kind code message }
    }
  }
}
`;

const LIST = `# 3. List jobs, the latest first; pass pageInfo.endCursor as "after" for the next page.
query List($filter: JobFilter, $after: String) {
  jobs(filter: $filter, first: 20, after: $after) {
    totalCount
    nodes {
      id
      status
      submittedAt
      audio { filename durationSeconds }
      progress { fraction }
      failure { kind message }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const EXPORT = `# 4. Read the transcript, or download it as a file from "url".
query Export($id: ID!, $format: ExportFormat!) {
  job(id: $id) {
    status
    transcript {
      isFinal
      language
      text
      export(format: $format) { content url contentType sizeBytes }
    }
  }
}
`;

const RETRY = `# 5. Run a failed job again; it continues after its stored segments.
mutation Retry($id: ID!) {
  retryJob(input: { id: $id }) {
    ... on RetryJobPayload { job { id status attempts { number outcome } } }
    ... on UserError { code message }
    ... on InvalidStateError { status allowed }
  }
}
`;

/** Ready to run after pasting an id. */
export const GRAPHIQL_TABS: { query: string; variables: string }[] = [
  {
    query: SUBMIT,
    variables: variables({
      input: { audio: { url: 'https://example.com/talk.mp3' }, timestamps: 'SEGMENT' },
    }),
  },
  { query: WATCH, variables: variables({ id: EXAMPLE_ID }) },
  { query: LIST, variables: variables({ filter: { status: ['COMPLETED', 'PROCESSING'] }, after: null }) },
  { query: EXPORT, variables: variables({ id: EXAMPLE_ID, format: 'SRT' }) },
  { query: RETRY, variables: variables({ id: EXAMPLE_ID }) },
];
