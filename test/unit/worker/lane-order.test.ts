import { describe, expect, it } from 'vitest';
import { laneOrder } from '../../../worker/lane-order.ts';

describe('a sweep', () => {
  it('goes from the most urgent lane to the least', () => {
    for (const sweep of [1, 2, 9, 11, 19]) {
      expect(laneOrder('whisper', sweep, null)).toEqual(['CRITICAL', 'HIGH', 'NORMAL', 'LOW']);
    }
  });

  it('goes the other way round every tenth time, so that no lane starves', () => {
    for (const sweep of [10, 20, 100]) {
      expect(laneOrder('whisper', sweep, null)).toEqual(['LOW', 'NORMAL', 'HIGH', 'CRITICAL']);
    }
  });

  it('begins with the lane that woke the worker', () => {
    expect(laneOrder('whisper', 1, 'LOW')).toEqual(['LOW', 'CRITICAL', 'HIGH', 'NORMAL']);
    expect(laneOrder('deepgram', 10, 'HIGH')).toEqual(['HIGH', 'CRITICAL', 'NORMAL', 'LOW']);
  });
});
