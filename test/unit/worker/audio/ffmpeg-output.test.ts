import { describe, expect, test } from 'vitest';
import { readFfmpegOutput, readFfmpegProgress } from '../../../../worker/audio/ffmpeg-output.ts';

const MP3_WITH_COVER = `Input #0, mp3, from 'file:source':
  Metadata:
    title           : Duration: 99:00:00.00
  Duration: 01:02:03.45, start: 0.025057, bitrate: 128 kb/s
  Stream #0:0: Audio: mp3, 44100 Hz, stereo, fltp, 128 kb/s
  Stream #0:1: Video: mjpeg (Baseline), yuvj420p, 500x500, 90k tbr (attached pic)
Stream mapping:
  Stream #0:0 -> #0:0 (mp3 (mp3float) -> pcm_s16le (native))
Output #0, wav, to 'audio.wav':
  Stream #0:0: Audio: pcm_s16le, 16000 Hz, mono, s16, 256 kb/s
`;

const MP4 = `Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'file:source':
  Duration: 00:00:20.00, start: 0.000000, bitrate: 71 kb/s
  Stream #0:0[0x1](und): Video: mpeg4 (Simple Profile) (mp4v / 0x7634706D), yuv420p, 64x64, 5 fps
  Stream #0:1[0x2](und): Audio: aac (LC) (mp4a / 0x6134706D), 48000 Hz, 5.1(side), fltp, 69 kb/s (default)
`;

describe('readFfmpegOutput', () => {
  test('reads the format of a recording; a cover image is not a video', () => {
    expect(readFfmpegOutput(MP3_WITH_COVER)).toMatchObject({
      opened: true,
      codec: 'mp3',
      sampleRate: 44_100,
      channels: 2,
      hasAudio: true,
      hasVideo: false,
    });
  });

  test('reads the duration of the file, not the one in its tags', () => {
    expect(readFfmpegOutput(MP3_WITH_COVER).durationMs).toBe(3_723_450);
  });

  test('recognizes a video and its audio', () => {
    expect(readFfmpegOutput(MP4)).toMatchObject({
      durationMs: 20_000,
      codec: 'aac',
      sampleRate: 48_000,
      channels: 6,
      hasVideo: true,
    });
  });

  test('has no duration when ffmpeg found none or only estimated it', () => {
    const guessed = `[mp3 @ 0x1] Estimating duration from bitrate, this may be inaccurate\n${MP3_WITH_COVER}`;
    expect(readFfmpegOutput(guessed).durationMs).toBeNull();
    expect(readFfmpegOutput(MP4.replace('00:00:20.00', 'N/A')).durationMs).toBeNull();
  });

  test('distinguishes an unreadable file from one without audio', () => {
    const garbage = 'file:source: Invalid data found when processing input\n';
    expect(readFfmpegOutput(garbage)).toMatchObject({ opened: false, hasAudio: false });
    const silent = MP4.split('\n').slice(0, 3).join('\n');
    expect(readFfmpegOutput(silent)).toMatchObject({ opened: true, hasAudio: false, hasVideo: true });
  });
});

test('readFfmpegProgress reads the time processed, and ignores other lines', () => {
  expect(readFfmpegProgress('out_time_us=12842750')).toBe(12_842);
  expect(readFfmpegProgress('out_time_us=N/A')).toBeNull();
  expect(readFfmpegProgress('out_time=00:00:12.842750')).toBeNull();
});
