import type { Logger } from '../../src/observability/logger.ts';
import type { EngineSegment, SourceEngine } from '../../worker/engines/engine.ts';

export interface EngineScript {
  readonly durationMs: number;
  readonly paceMs: number;
  readonly segments: readonly EngineSegment[];
  readonly query: URLSearchParams;
}

export function scriptOf(url: string): EngineScript | null;
export function createEngine(context: {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
}): Promise<SourceEngine>;
