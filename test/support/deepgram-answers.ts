import { randomUUID } from 'node:crypto';

/** What a recording says, for the stand-in of Deepgram. */
export interface Script {
  readonly durationSeconds: number;
  readonly channels: number;
  readonly language: string;
  readonly languageConfidence: number;
  readonly utterances: readonly ScriptedUtterance[];
}
interface ScriptedUtterance {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly speaker?: number;
}

export const DEFAULT_SCRIPT: Script = {
  durationSeconds: 12.5,
  channels: 1,
  language: 'en',
  languageConfidence: 0.97,
  utterances: [
    { start: 0.4, end: 3.2, text: 'Good morning, everybody.', speaker: 0 },
    { start: 4.1, end: 7.9, text: 'Thanks for having me here.', speaker: 1 },
    { start: 8.3, end: 12.1, text: "Let's begin with the first question.", speaker: 0 },
  ],
};

/** The documented bodies of refusals, by status. */
export const ERROR_BODIES: Readonly<Record<number, { err_code: string; err_msg: string }>> = {
  400: {
    err_code: 'Bad Request',
    err_msg: 'Bad Request: failed to process audio: corrupt or unsupported data',
  },
  401: { err_code: 'INVALID_AUTH', err_msg: 'Invalid credentials.' },
  402: {
    err_code: 'ASR_PAYMENT_REQUIRED',
    err_msg:
      'Project does not have enough credits for an ASR request and does not have an overage agreement.',
  },
  403: {
    err_code: 'INSUFFICIENT_PERMISSIONS',
    err_msg: 'Project does not have access to the requested model.',
  },
  413: { err_code: 'PAYLOAD_TOO_LARGE', err_msg: 'Payload size exceeds limit of 2 GB.' },
  415: { err_code: 'UNSUPPORTED_MEDIA_TYPE', err_msg: '`Content-Type` header is not supported.' },
  429: { err_code: 'TOO_MANY_REQUESTS', err_msg: 'Too many requests. Please try again later' },
  503: { err_code: 'Service Unavailable', err_msg: 'Please try again later' },
};

/** The body of a success, with the parts that the query asked for. */
export function listenAnswer(script: Script, query: URLSearchParams, requestId: string): object {
  const diarized = query.get('diarize') === 'true';
  const utterances = script.utterances.map((utterance) => utteranceAnswer(utterance, diarized));
  const modelId = '40bd3654-e622-47c4-a111-63a61b23bfe8';
  const model = query.get('model') ?? 'base-general';
  const detected = {
    detected_language: script.language,
    language_confidence: script.languageConfidence,
  };
  return {
    metadata: {
      transaction_key: 'deprecated',
      request_id: requestId,
      sha256: '0'.repeat(64),
      created: '2026-11-22T03:00:00.000Z',
      duration: script.durationSeconds,
      channels: script.channels,
      models: [modelId],
      model_info: { [modelId]: { name: `general-${model}`, version: '2025-04-17.21547', arch: model } },
    },
    results: {
      channels: [
        {
          alternatives: [
            {
              transcript: script.utterances.map((utterance) => utterance.text).join(' '),
              confidence: script.utterances.length === 0 ? 0 : 0.98,
              words: utterances.flatMap((utterance) => utterance.words),
            },
          ],
          ...(query.get('detect_language') === 'true' ? detected : {}),
        },
      ],
      ...(query.get('utterances') === 'true' ? { utterances } : {}),
    },
  };
}

function utteranceAnswer(utterance: ScriptedUtterance, diarized: boolean) {
  const speaker = diarized ? { speaker: utterance.speaker ?? 0 } : {};
  const words = utterance.text.split(' ');
  const step = (utterance.end - utterance.start) / words.length;
  return {
    start: utterance.start,
    end: utterance.end,
    confidence: 0.98,
    channel: 0,
    transcript: utterance.text,
    words: words.map((word, index) => ({
      word: word.toLowerCase().replace(/[^\p{L}\p{N}']/gu, ''),
      start: utterance.start + index * step,
      end: utterance.start + (index + 1) * step,
      confidence: 0.97,
      punctuated_word: word,
      ...speaker,
      ...(diarized ? { speaker_confidence: 0.9 } : {}),
    })),
    ...speaker,
    id: randomUUID(),
  };
}
