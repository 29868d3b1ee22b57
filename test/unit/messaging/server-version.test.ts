import { expect, test } from 'vitest';
import { NatsVersionError, requireServerVersion } from '../../../src/messaging/server-version.ts';

function warningsOf(version: string, replicas = 1): number {
  let warnings = 0;
  requireServerVersion(version, replicas, {
    warn: () => {
      warnings += 1;
    },
  });
  return warnings;
}

test('a nats-server that is too old, or no version at all, is refused', () => {
  expect(() => warningsOf('2.9.3')).toThrow(NatsVersionError);
  expect(() => warningsOf('1.4.1')).toThrow(NatsVersionError);
  expect(() => warningsOf('')).toThrow(NatsVersionError);
});

test('Debian’s nats-server works, with a warning that it cannot flush at once', () => {
  expect(warningsOf('2.9.10')).toBe(1);
  expect(warningsOf('2.10.0')).toBe(0);
  expect(warningsOf('2.15.0-dev')).toBe(0);
});

test('replicas are refused where two writers could both extend a chain', () => {
  expect(() => warningsOf('2.10.22', 3)).toThrow(/2\.10\.23/);
  expect(warningsOf('2.10.23', 3)).toBe(0);
});
