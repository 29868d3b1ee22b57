/** What ffmpeg reports about a recording on standard error; the npm package of ffmpeg has no ffprobe. */
export interface FfmpegReport {
  /** False when ffmpeg could not read the file at all. */
  readonly opened: boolean;
  /** As the container claims; null when it does not, or when ffmpeg only estimated it. */
  readonly durationMs: number | null;
  readonly codec: string | null;
  readonly sampleRate: number | null;
  readonly channels: number | null;
  readonly hasAudio: boolean;
  /** True for a video, not for a cover image. Its duration hides that of the audio. */
  readonly hasVideo: boolean;
}

const DURATION = /^\s*Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)/m;
const AUDIO_STREAM = /^\s*Stream #0:\d+.*?: Audio: ([^\s,]+)(.*)$/m;
const CHANNELS: Readonly<Record<string, number>> = {
  mono: 1,
  stereo: 2,
  downmix: 2,
  '2.1': 3,
  quad: 4,
  '4.0': 4,
  '5.0': 5,
  '5.1': 6,
  '6.1': 7,
  '7.1': 8,
};

/** @param text The start of standard error at `-loglevel info`, of ffmpeg 4 or later. */
export function readFfmpegOutput(text: string): FfmpegReport {
  const input = sectionOfInput(text);
  const audio = AUDIO_STREAM.exec(input);
  const details = audio?.[2] ?? '';
  const guessed = /Estimating duration from bitrate/.test(text);
  return {
    opened: input !== '',
    durationMs: guessed ? null : readDuration(input),
    codec: audio?.[1] ?? null,
    sampleRate: toNumber(/, (\d+) Hz/.exec(details)?.[1]),
    channels: readChannels(details),
    hasAudio: audio !== null,
    hasVideo: input.split('\n').some((line) => / Video: /.test(line) && !line.includes('(attached pic)')),
  };
}

/** Milliseconds of audio written so far, from a line of `-progress`; null for other lines. */
export function readFfmpegProgress(line: string): number | null {
  const match = /^out_time_us=(\d+)$/.exec(line);
  return match === null ? null : Math.floor(Number(match[1]) / 1000);
}

function sectionOfInput(text: string): string {
  const start = text.indexOf('Input #0,');
  if (start === -1) return '';
  const end = ['Output #0,', 'Stream mapping:']
    .map((mark) => text.indexOf(mark, start))
    .filter((at) => at > 0);
  return text.slice(start, Math.min(...end, text.length));
}

function readDuration(text: string): number | null {
  const match = DURATION.exec(text);
  if (match === null) return null;
  const [, hours, minutes, seconds] = match;
  return Math.round((Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000);
}

function readChannels(details: string): number | null {
  const counted = /, (\d+) channels/.exec(details)?.[1];
  if (counted !== undefined) return Number(counted);
  const layout = / Hz, ([^\s,(]+)/.exec(details)?.[1] ?? '';
  return CHANNELS[layout] ?? null;
}

function toNumber(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}
