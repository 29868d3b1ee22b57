import { describe, expect, it } from 'vitest';
import { ConfigError, readServerConfig, readWorkerConfig } from '../../../src/config/config.ts';

describe('a configuration', () => {
  it('has defaults for everything, also for empty variables', () => {
    expect(readServerConfig({ PORT: '' }).PORT).toBe(4000);
    expect(readWorkerConfig({}).AUDIO_ALLOWED_NETWORKS).toEqual([]);
  });

  it('is refused with every invalid variable', () => {
    const read = () => readServerConfig({ PORT: '70000', DATABASE_URL: 'here', HOST: '::1' });

    expect(read).toThrow(ConfigError);
    expect(read).toThrow(/DATABASE_URL.*\n.*PORT/);
    expect(read).not.toThrow(/HOST/);
  });

  it.each(['10.0.0.0', 'example.com/8', '10.0.0.0/33', 'fd00::/129', '10.0.0.0/8 fd00::/8'])(
    'refuses invalid networks: %s',
    (text) => {
      expect(() => readWorkerConfig({ AUDIO_ALLOWED_NETWORKS: text })).toThrow(/AUDIO_ALLOWED_NETWORKS/);
    },
  );

  it('accepts several networks', () => {
    const { AUDIO_ALLOWED_NETWORKS } = readServerConfig({ AUDIO_ALLOWED_NETWORKS: '10.0.0.0/8, fd00::/8' });

    expect(AUDIO_ALLOWED_NETWORKS).toEqual(['10.0.0.0/8', 'fd00::/8']);
  });

  it('needs a maximum retry delay of at least the first one', () => {
    expect(() => readServerConfig({ RETRY_BASE_SECONDS: '60', RETRY_MAX_SECONDS: '5' })).toThrow(ConfigError);
  });
});
